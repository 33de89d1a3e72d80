//! Values that are addresses to which the server is to send a request.

use super::{Injection, Injections};
use crate::hash::HashKey;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Names under which clouds and clusters answer their machines.
const METADATA_HOSTS: [&str; 7] = [
    "metadata.google.internal",
    "metadata.azure.internal",
    "metadata.packet.net",
    "metadata.tencentyun.com",
    "instance-data",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];
/// Addresses under which they do (AWS, GCP, Azure, Oracle; Alibaba; ECS tasks; AWS over IPv6).
const METADATA_ADDRESSES: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];
/// Schemes that no API asks for and that libraries follow.
const STRANGE_SCHEMES: [&str; 6] = ["gopher", "dict", "tftp", "netdoc", "expect", "local_file"];
/// What stands before an address of a scheme that Java follows.
const WRAPPERS: [&str; 2] = ["jar:", "url:"];
/// Names that lead to the machine itself, or to one beside it.
const INNER_HOSTS: [&str; 6] =
    ["localhost", "ip6-localhost", "ip6-loopback", "localtest.me", "host.docker.internal", "gateway.docker.internal"];
/// Schemes that are asked for, and lead inside by their host alone.
const USUAL_SCHEMES: [&str; 9] = ["http", "https", "ftp", "ftps", "sftp", "ldap", "ldaps", "ws", "wss"];
/// Folders of a server: apps name their own files by `file:`, too.
const SYSTEM_FOLDERS: [&str; 7] = ["etc/", "proc/", "root/", "var/log/", "var/www/", "c:/windows/", "c:/boot.ini"];

/// A value that is an address which the server is to go to.
pub(super) fn look(value: &[u8], key: &HashKey, found: &mut Injections) {
    let Some(text) = std::str::from_utf8(value.trim_ascii()).ok() else { return };
    let bare = WRAPPERS.iter().find_map(|wrapper| without_prefix(text, wrapper));
    let Some((scheme, rest)) = bare.unwrap_or(text).split_once(":/") else { return };
    let rest = rest.trim_start_matches('/');
    let is_one_of = |names: &[&str]| names.iter().any(|name| scheme.eq_ignore_ascii_case(name));
    let is_file = is_one_of(&["file"]) && SYSTEM_FOLDERS.iter().any(|folder| without_prefix(rest, folder).is_some());
    let is_wrapped = bare.is_some() && is_one_of(&["http", "https", "ftp", "file"]);
    if is_file || is_wrapped || is_one_of(&STRANGE_SCHEMES) {
        return found.add(Injection::HiddenAddress);
    }
    if !is_one_of(&USUAL_SCHEMES) {
        return;
    }
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((inner, _)) => inner.split('%').next().unwrap_or_default(), // without its zone
        None => host.split(':').next().unwrap_or_default(),
    };
    let plain = plain_host(host);
    let (address, is_disguised) = match address_of(&plain) {
        Some(read) => read,
        None if METADATA_HOSTS.contains(&&*plain) => return found.add(Injection::HiddenAddress),
        None if INNER_HOSTS.contains(&&*plain) || plain.ends_with(".localhost") => {
            (IpAddr::V4(Ipv4Addr::LOCALHOST), false)
        }
        None => return,
    };
    if METADATA_ADDRESSES.contains(&address) || is_disguised || !host.is_ascii() {
        found.add(Injection::HiddenAddress);
    } else if is_inner(address) {
        found.add(Injection::InnerAddress);
        found.inner_address = found.inner_address.or(Some(key.hash(authority.as_bytes())));
    }
}

fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// A host in small letters, without its last dot, and as resolvers read it where it is written in circled or wide characters.
fn plain_host(host: &str) -> String {
    let plain = |character: char| match character {
        '\u{2460}'..='\u{2468}' => offset(character, '\u{2460}', '1'),
        '\u{24b6}'..='\u{24cf}' => offset(character, '\u{24b6}', 'a'),
        '\u{24d0}'..='\u{24e9}' => offset(character, '\u{24d0}', 'a'),
        '\u{24ea}' => '0',
        '\u{ff01}'..='\u{ff5e}' => offset(character, '\u{ff01}', '!'),
        '\u{3002}' | '\u{ff61}' => '.',
        _ => character,
    };
    let host: String = host.chars().map(|character| plain(character).to_ascii_lowercase()).collect();
    host.trim_end_matches('.').to_owned()
}

fn offset(character: char, first: char, plain_first: char) -> char {
    char::from_u32(character as u32 - first as u32 + plain_first as u32).unwrap_or(character)
}

/// The address that a host is, and whether it is written so that a filter does not know it: in one number, in octal or hexadecimal
/// parts (as `inet_aton` reads them), or mapped into IPv6.
fn address_of(host: &str) -> Option<(IpAddr, bool)> {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => {
            let mapped = address.to_ipv4_mapped();
            return Some(mapped.map_or((IpAddr::V6(address), false), |inner| (IpAddr::V4(inner), true)));
        }
        Ok(address) => return Some((address, false)),
        Err(_) => {}
    }
    let mut parts = host.split('.').map(|part| {
        let (digits, radix) = match part.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None if part.len() > 1 && part.starts_with('0') => (part, 8),
            None => (part, 10),
        };
        u32::from_str_radix(digits, radix).ok()
    });
    let mut numbers = [0u32; 4];
    let mut count = 0;
    for number in &mut numbers {
        let Some(part) = parts.next() else { break };
        *number = part?;
        count += 1;
    }
    if parts.next().is_some() || count == 0 {
        return None;
    }
    let last = numbers[count - 1]; // count is 1 to 4
    let heads = numbers[..count - 1].iter().enumerate(); // as above
    let high = heads.fold(0u32, |sum, (at, part)| sum | (part & 0xff) << (24 - 8 * at));
    Some((IpAddr::V4(Ipv4Addr::from(high | last)), true))
}

fn is_inner(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified()
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
    }
}
