//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener};

use crate::error::Error;

/// Below what Linux hands out by itself (32768 and up): between the end of a killed service and its
/// restart no outgoing connection can take its port, and a client that tries to reach it in vain
/// cannot end up connected to itself.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Ports that were free a moment ago, all different. Another process may be faster: a start that
/// meets a taken port asks again.
pub(crate) fn free(count: usize) -> Result<Vec<u16>, Error> {
    let mut held: Vec<(TcpListener, u16)> = Vec::with_capacity(count);
    let mut refused = None;
    for _ in 0..1000 {
        if held.len() == count {
            break;
        }
        let port = fastrand::u16(RANGE);
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => held.push((listener, port)),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if held.len() < count => Err(Error::io("looking for free ports")(error)),
        _ => Ok(held.iter().map(|(_, port)| *port).collect()),
    }
}

/// One port that was free a moment ago.
pub(crate) fn free_one() -> Result<u16, Error> {
    free(1).map(|ports| ports[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_different_and_free() {
        let ports = free(8).expect("free ports");
        let listeners: Vec<_> = ports
            .iter()
            .map(|port| TcpListener::bind(("127.0.0.1", *port)))
            .collect();
        assert!(
            listeners.iter().all(Result::is_ok),
            "each can be bound, so none is given twice"
        );
    }
}
