//! The bytes in front of a datum.

use crate::BadRecord;

const MAGIC: u8 = 0;
const LENGTH: usize = 5;

/// The id of the schema that a payload was written by, and its datum.
pub(super) fn split(payload: &[u8]) -> Result<(u32, &[u8]), BadRecord> {
    let Some((prefix, datum)) = payload.split_at_checked(LENGTH) else {
        return Err(BadRecord::new("undecodable", format!("{} bytes are no Avro record of a registry", payload.len())));
    };
    let [magic, id @ ..] = prefix else { return Err(BadRecord::new("undecodable", "it has no id")) };
    let Ok(id) = <[u8; 4]>::try_from(id) else { return Err(BadRecord::new("undecodable", "it has no id")) };
    if *magic != MAGIC {
        let message = format!("it begins with the byte {magic}, not with the 0 of a registry's records");
        return Err(BadRecord::new("undecodable", message));
    }
    Ok((u32::from_be_bytes(id), datum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_in_front_most_significant_byte_first() {
        assert_eq!(split(&[0, 0, 0, 1, 2, 9]).unwrap(), (258, &[9u8][..]));
        assert!(split(&[0, 0, 0, 1]).unwrap_err().message.contains("4 bytes"));
        assert!(split(&[1, 0, 0, 1, 2, 9]).unwrap_err().message.contains("byte 1"));
    }
}
