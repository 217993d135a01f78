"""How much a provider is given in a second, a minute and a day, whoever of us gives it."""
