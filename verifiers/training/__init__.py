"""
Training of verifiers from people's decisions: any image-text model of transformers.

A model learns one token: the letter of the right option, after the prompt exactly as the server
sees it. All of a tiny model learns; of a larger one a LoRA adapter of its language model.

  recipes      everything that the weights depend on
  draws        which rows a step learns from, and in which order their options stand
  examples     a row becomes a prompt and a letter, as a request does
  adapters     LoRA, in the files that vLLM loads
  learner      model and optimiser; one step
  run          from rows to a folder of weights
"""
