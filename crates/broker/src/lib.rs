//! A real Apache Kafka broker on this machine, for tests and first steps.
