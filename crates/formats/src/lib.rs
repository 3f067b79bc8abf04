//! How the payload of a message becomes a row, and a row a payload: JSON, Avro, Arrow IPC, text and bytes.
