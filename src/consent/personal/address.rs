//! E-mail addresses in a text.

/// Whether an address is in the text; in links the `@` may stand as `%40`.
pub(super) fn is_in(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'@', b'%', text).any(|at| {
        let domain = match text[at] {
            b'@' => at + 1,
            _ if text[at..].starts_with(b"%40") => at + 3,
            _ => return false,
        };
        text[..at].last().is_some_and(|byte| is_local(*byte)) && has_domain(&text[domain..])
    })
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-+!#$&'*=?^`{|}~\"".contains(&byte) || !byte.is_ascii()
}

/// Whether the text begins with two or more labels, the last of them letters: `example.test`, but not the
/// `2x.png` of a picture for fine screens.
fn has_domain(text: &[u8]) -> bool {
    let in_name =
        |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte) || !byte.is_ascii();
    let end = text.iter().position(|byte| !in_name(byte)).unwrap_or(text.len());
    let name = text[..end].strip_suffix(b".").unwrap_or(&text[..end]);
    let Some(dot) = name.iter().rposition(|byte| *byte == b'.') else { return false };
    let (host, top) = (&name[..dot], &name[dot + 1..]);
    let letters = top.iter().all(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
    let is_top = top.len() >= 2 && (letters || top.starts_with(b"xn--"));
    is_top && !host.is_empty() && !host.starts_with(b".") && !is_density(host)
}

/// Whether a name begins like `2x.min`.
fn is_density(host: &[u8]) -> bool {
    let label = host.split(|byte| *byte == b'.').next().unwrap_or_default();
    label.split_last().is_some_and(|(last, digits)| {
        *last == b'x' && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
    })
}
