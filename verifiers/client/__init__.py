"""
The client that asks a verifier behind `/v1/chat/completions`: vLLM, or the embedded server.

  requests   what is sent: messages, one token, log-probabilities
  replies    what comes back: probabilities of the options, or why there are none
  tries      what can go wrong with a request
  endpoints  the servers: who is asked next, who is avoided
  asking     one request until it is answered: waits, tries, when to give up
  pulling    questions from a blocking iterator
  verifier   `ChatVerifier`, the port `engine.ports.Verifier`
  connecting which model the servers offer and what they understand
"""
