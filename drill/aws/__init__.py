"""AWS on one machine: a moto server, and the bridges for what moto leaves out."""
