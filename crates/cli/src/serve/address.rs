//! Where to listen.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::failure::Failure;

/// The environment variable that stands for `--listen`.
const VARIABLE: &str = "SLUICE_LISTEN";

/// Where to listen, if anywhere: what the command line says, else what the environment says.
///
/// A number alone is a port of 127.0.0.1. An address that other machines can reach must be allowed, since the server asks
/// nobody who they are.
pub(crate) fn listen_address(written: Option<&str>, anywhere: bool) -> Result<Option<SocketAddr>, Failure> {
    match written {
        Some(text) => parse("--listen", text, anywhere).map(Some),
        None => match std::env::var(VARIABLE) {
            Ok(text) if !text.is_empty() => parse(VARIABLE, &text, anywhere).map(Some),
            _ => Ok(None),
        },
    }
}

fn parse(origin: &str, text: &str, anywhere: bool) -> Result<SocketAddr, Failure> {
    let loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let text = text.trim();
    let address = match (text.parse::<u16>(), text.strip_prefix("localhost:").map(str::parse::<u16>)) {
        (Ok(port), _) | (_, Some(Ok(port))) => loopback(port),
        _ => text.parse::<SocketAddr>().map_err(|_| {
            let help = "write it as ADDRESS:PORT or as PORT alone, such as 127.0.0.1:9464";
            Failure::wrong_argument(format!("{origin} {text}: this is no address to listen at\n  help: {help}"))
        })?,
    };
    if !address.ip().is_loopback() && !anywhere {
        let help = "listen at 127.0.0.1, or add --listen-anywhere where a firewall or proxy keeps strangers out";
        let why = "other machines could read health and metrics there without a password";
        return Err(Failure::wrong_argument(format!("{origin} {text}: {why}\n  help: {help}")));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, anywhere: bool) -> Result<String, String> {
        let shown = |failure: Failure| failure.message().unwrap_or_default().to_owned();
        parse("--listen", text, anywhere).map(|address| address.to_string()).map_err(shown)
    }

    #[test]
    fn a_port_alone_is_one_of_this_machine_only() {
        for (text, address) in [("9464", "127.0.0.1:9464"), ("localhost:1", "127.0.0.1:1"), ("[::1]:2", "[::1]:2")] {
            assert_eq!(parsed(text, false).as_deref(), Ok(address));
        }
    }

    #[test]
    fn an_address_that_others_can_reach_must_be_allowed() {
        let refused = parsed("0.0.0.0:9464", false).unwrap_err();
        assert!(refused.contains("without a password") && refused.contains("--listen-anywhere"), "{refused}");
        assert_eq!(parsed("0.0.0.0:9464", true).as_deref(), Ok("0.0.0.0:9464"));
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for text in ["", "here", "127.0.0.1", "99999", "example.com:80"] {
            let refused = parsed(text, true).unwrap_err();
            assert!(refused.contains("no address") && refused.contains("127.0.0.1:9464"), "{refused}");
        }
    }
}
