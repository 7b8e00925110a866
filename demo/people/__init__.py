"""
Simulated people at the review desk: they act through Label Studio's API, as a browser would.

  crew      who they are
  seconds   how long each of their actions takes, fitted to published times
  screen    what they see of a task, and what a browser sends back
  answers   what they answer to a question, right or wrong
  drawings  what they leave on a picture, right or wrong
  hands     the calls of one person to Label Studio
  work      one person's day, and many people at once
  alone     the same people without verifiers, played through in memory
  cost      what a pair takes people
  outcome   what all of it came to, as rows of the demo

What is right they know from the concept world. Nothing of this is known to the product.
"""
