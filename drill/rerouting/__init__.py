"""What becomes of gateway fleets, and of the clients connected to them, when a part of the world fails."""
