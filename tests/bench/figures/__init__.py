"""The parts of tests/bench/run, one module each."""
