//! The network of a sandbox: a loopback interface, and nothing else.

use std::{io, os::fd::AsRawFd};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

// netlink(7), rtnetlink(7), <linux/if.h>.
const RTM_NEWLINK: u16 = 16;
const NLM_F_REQUEST_ACK: u16 = 0x1 | 0x4;
const NLMSG_ERROR: u16 = 2;
const IFF_UP: u32 = 1;
/// The first interface of every network namespace.
const LOOPBACK: i32 = 1;

/// `struct nlmsghdr` and `struct ifinfomsg`, which ask for the interface to be up. The kernel then gives it its addresses.
fn request() -> Vec<u8> {
    let mut request = Vec::with_capacity(32);
    request.extend(32_u32.to_ne_bytes());
    request.extend(RTM_NEWLINK.to_ne_bytes());
    request.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
    request.extend([0; 8]); // sequence and sender
    request.extend([0; 4]); // family, type
    request.extend(LOOPBACK.to_ne_bytes());
    request.extend(IFF_UP.to_ne_bytes()); // flags
    request.extend(IFF_UP.to_ne_bytes()); // which of them are meant
    request
}

/// Brings up the loopback interface of the network namespace that this process is in.
pub(super) fn bring_up_loopback() -> io::Result<()> {
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    send(socket.as_raw_fd(), &request(), MsgFlags::empty())?;
    let mut answer = [0; 1024];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    match code(answer.get(..length).unwrap_or_default()) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The code of `struct nlmsgerr`: 0, or an error's number below zero.
fn code(answer: &[u8]) -> Option<i32> {
    let is_answer = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?) == NLMSG_ERROR;
    let code = i32::from_ne_bytes(answer.get(16..20)?.try_into().ok()?);
    is_answer.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_as_long_as_it_says() {
        assert_eq!(request().len(), 32);
    }

    #[test]
    fn only_an_answer_has_a_code() {
        let mut answer = [0; 36];
        answer[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        answer[16..20].copy_from_slice(&(-1_i32).to_ne_bytes());
        assert_eq!(code(&answer), Some(-1));
        assert_eq!(code(&answer[..18]), None);
        answer[4] = 16;
        assert_eq!(code(&answer), None);
    }
}
