"""Real engines in place of stand-ins, by option: what they need of the machine, and how they are started."""
