"""What the gate is made of: evidence, rules, bounds and words; `training.gate` decides with them."""
