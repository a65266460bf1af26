"""Whole lives of a plan in virtual time, from a seed, in one process: the deployed state machine and the real handlers
among fakes of everything that they call. It patches the process it runs in: have one of its own for it."""
