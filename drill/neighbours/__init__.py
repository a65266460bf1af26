"""Plans beside the drill's own on the same controller: their sites are many in one process, and carry no clients."""
