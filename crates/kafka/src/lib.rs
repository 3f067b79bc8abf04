//! What the Kafka source and the Kafka sink share: clients, properties, the consumer thread, transactions.
