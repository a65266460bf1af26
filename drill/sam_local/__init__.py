"""The functions in the SAM CLI's containers, on the drill's world."""
