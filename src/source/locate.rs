//! From what the user wrote, a path or a URI, to a URI that GStreamer takes; refuses files that cannot be a video.

use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use gstreamer::glib;

use crate::failure::Failure;
use crate::redact::redact;
use crate::term::clean;

/// `input` as shown to people: without password, without control characters; bytes that are no UTF-8 become `�`.
pub fn shown(input: &OsStr) -> String {
    clean(&redact(&input.to_string_lossy()))
}

/// `cannot open X: reason`.
pub fn cannot_open(input: &OsStr, reason: impl std::fmt::Display) -> Failure {
    Failure::input(format!("cannot open {}: {reason}", shown(input)))
}

/// The URI of `input`, and its path if it is a local file. A word with a scheme and `://` is a URI; everything else is a
/// path, of any bytes. A local file is opened and closed again: missing, empty, unreadable ones and what is no regular file
/// are refused here, because nothing later says it as well.
pub fn locate(input: &OsStr) -> Result<(String, Option<PathBuf>), Failure> {
    let path = match input.to_str().filter(|text| has_scheme(text)) {
        Some(uri) if !uri.to_ascii_lowercase().starts_with("file://") => return Ok((uri.to_owned(), None)),
        Some(uri) => glib::filename_from_uri(uri).map_err(|e| cannot_open(input, e.message()))?.0,
        None => PathBuf::from(input),
    };
    check(&path).map_err(|reason| cannot_open(input, reason))?;
    let absolute = std::path::absolute(&path).map_err(|e| cannot_open(input, e))?;
    let uri = glib::filename_to_uri(&absolute, None).map_err(|e| cannot_open(input, e.message()))?;
    Ok((uri.into(), Some(absolute)))
}

fn has_scheme(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

fn check(path: &Path) -> Result<(), String> {
    let reason = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound if path == Path::new("-") => "standard input is not supported, name a file".to_owned(),
        ErrorKind::NotFound if path.is_symlink() => "it is a link to a file that does not exist".to_owned(),
        ErrorKind::NotFound => "no such file".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => e.to_string(),
    };
    let found = path.metadata().map_err(reason)?;
    let kind = found.file_type();
    let what = match () {
        _ if kind.is_dir() => "a directory",
        _ if kind.is_fifo() => "a FIFO (`framewright run -` reads standard input)",
        _ if kind.is_socket() => "a socket",
        _ if kind.is_char_device() => "a character device (camera:PATH opens cameras)",
        _ if kind.is_block_device() => "a block device",
        _ => "",
    };
    if !what.is_empty() {
        return Err(format!("it is {what}, not a regular file"));
    }
    if found.len() == 0 {
        return Err("the file is empty".into());
    }
    File::open(path).map(drop).map_err(reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    fn refused(input: &OsStr) -> String {
        let failure = locate(input).unwrap_err();
        assert_eq!(failure.class, crate::failure::Class::Input);
        failure.message
    }

    #[test]
    fn any_name_becomes_a_uri_and_back() {
        let dir = tempfile::tempdir().unwrap();
        for name in [&b"a b%20'\"!?#.mp4"[..], b"\xff\xfe.mp4", "für.mp4".as_bytes(), b"http:x", b"-"] {
            let path = dir.path().join(OsStr::from_bytes(name));
            std::fs::write(&path, "x").unwrap();
            let (uri, local) = locate(path.as_os_str()).unwrap();
            assert_eq!(local.as_deref(), Some(&*path));
            assert_eq!(glib::filename_from_uri(&uri).unwrap().0, path);
            assert_eq!(locate(uri.as_ref()).unwrap().1.as_deref(), Some(&*path));
        }
        assert_eq!(locate("rtsp://a:b@c/d".as_ref()).unwrap(), ("rtsp://a:b@c/d".into(), None));
    }

    #[test]
    fn what_cannot_be_a_video_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("empty.mp4"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", at("link.mp4")).unwrap();
        for (name, reason) in [
            ("none.mp4", ": no such file"),
            ("", ": it is a directory, not a regular file"),
            ("empty.mp4", ": the file is empty"),
            ("link.mp4", ": it is a link to a file that does not exist"),
        ] {
            let message = refused(at(name).as_os_str());
            assert!(message.starts_with("cannot open /") && message.ends_with(reason), "{message}");
        }
        assert!(refused("/dev/null".as_ref()).contains("character device"));
        assert!(refused("file:///none.mp4".as_ref()).ends_with("file:///none.mp4: no such file"));
    }
}
