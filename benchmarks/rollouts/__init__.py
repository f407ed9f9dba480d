"""Operating characteristics of the canary judgement: how often each rule is wrong, and how soon it is right."""
