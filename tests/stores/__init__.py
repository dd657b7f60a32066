"""Storage for tests: real S3-compatible servers on loopback."""
