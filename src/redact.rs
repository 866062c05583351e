//! Takes passwords out of URLs before a log, an error or a GStreamer debug string shows them.

/// Query keys whose values are secrets. Cameras and SRT put passwords there.
const SECRET_KEYS: &[&str] = &["password", "passwd", "pwd", "pass", "passphrase", "token", "secret"];

/// `text` with the password of every URL in it replaced: `rtsp://user:secret@host` becomes `rtsp://user:***@host`, and
/// `?password=secret` becomes `?password=***`. Unescaped `@` and `/` in a password are taken as part of it; where it is in
/// doubt, more is hidden rather than less. Text without URLs is returned unchanged, and doing it twice changes nothing.
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "\"<>`".contains(c)).unwrap_or(after.len());
        // A second URL in the same word, as in `proxy://a/rtsp://b:c@d`, is the next round's.
        let end = after[..end].find("://").map_or(end, |next| after[..next].rfind('/').map_or(next, |slash| slash + 1));
        let (url, tail) = after.split_at(end);
        push_redacted(url, &mut out);
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Appends `url`, which starts after `://`.
fn push_redacted(url: &str, out: &mut String) {
    let rest = match secret(url) {
        Some((start, end)) => {
            out.push_str(&url[..start]);
            out.push_str("***");
            &url[end..]
        }
        None => url,
    };
    let Some((path, query)) = rest.split_once('?') else { return out.push_str(rest) };
    out.push_str(path);
    out.push('?');
    for (i, pair) in query.split_inclusive(['&', ';']).enumerate() {
        debug_assert!(i == 0 || !pair.is_empty());
        let (pair, separator) = match pair.strip_suffix(['&', ';']) {
            Some(bare) => (bare, &pair[bare.len()..]),
            None => (pair, ""),
        };
        match pair.split_once('=') {
            Some((key, _)) if SECRET_KEYS.iter().any(|s| key.eq_ignore_ascii_case(s)) => {
                out.push_str(key);
                out.push_str("=***");
            }
            _ => out.push_str(pair),
        }
        out.push_str(separator);
    }
}

/// Where the password lies in `url`.
fn secret(url: &str) -> Option<(usize, usize)> {
    let slash = url.find(['/', '?', '#']).unwrap_or(url.len());
    let colon = url[..slash].find(':')?;
    if let Some(at) = url[..slash].rfind('@') {
        return (colon < at).then_some((colon + 1, at));
    }
    // No `@` up to the first slash: `host:port/path@2x`, or a password with a slash in it.
    let port = &url[colon + 1..slash];
    if port.bytes().all(|b| b.is_ascii_digit()) || url.starts_with('[') {
        return None;
    }
    url.rfind('@').map(|at| (colon + 1, at))
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn passwords_go_and_the_rest_stays() {
        for (text, expected) in [
            ("rtsp://admin:1234@10.0.0.1/live", "rtsp://admin:***@10.0.0.1/live"),
            ("rtsp://admin:p@ss@cam:554/a", "rtsp://admin:***@cam:554/a"),
            ("rtsp://admin:p/s?s#s@cam/a", "rtsp://admin:***@cam/a"),
            ("rtsp://:secret@cam", "rtsp://:***@cam"),
            ("rtsp://admin:@cam", "rtsp://admin:***@cam"),
            ("rtsp://a:b:c@[::1]:554/x", "rtsp://a:***@[::1]:554/x"),
            (
                "cannot open rtsp://a:b@c/d: refused, nor http://e:f@g.",
                "cannot open rtsp://a:***@c/d: refused, nor http://e:***@g.",
            ),
            ("location=\"rtsp://a:b@c/d\" user=x@y", "location=\"rtsp://a:***@c/d\" user=x@y"),
            ("http://proxy/http://a:b@c/d", "http://proxy/http://a:***@c/d"),
            ("http://cam/v.cgi?user=a&password=b&x=1", "http://cam/v.cgi?user=a&password=***&x=1"),
            ("srt://host:9000?mode=caller&Passphrase=abc", "srt://host:9000?mode=caller&Passphrase=***"),
            ("rtsp://ü:ß@käm/ö", "rtsp://ü:***@käm/ö"),
        ] {
            assert_eq!(redact(text), expected);
            assert_eq!(redact(expected), expected, "a second time");
        }
    }

    #[test]
    fn what_holds_no_password_is_unchanged() {
        for text in [
            "",
            "://",
            "a.mp4",
            "mail a:b@c",
            "http://host:8080/a@2x.png",
            "http://[::1]:80/a@b",
            "rtsp://user@host/path",
            "file:///home/a:b@c/d.mp4",
            "http://host/?a=b?c&&d;",
            "http://host/x?",
            "00:01:02 é ://é",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}
