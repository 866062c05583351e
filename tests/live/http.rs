//! HTTP, from a server with its ways to misbehave.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::nobody;
use crate::common::*;
use crate::fw;

/// An HTTP server. The first part of a path is how it behaves, the rest the file:
/// `/range/F` with ranges, `/plain/F` without, `/chunked/F`, `/moved/F`, `/login/F` for user `u` with password `pa55word`,
/// `/stall/F` and `/cut/F` without ranges up to the middle, `/cutrange/F` in thirds.
struct Http {
    at: std::net::SocketAddr,
}

impl Http {
    fn new(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("an address");
        let folder: Arc<Path> = folder.into();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let folder = folder.clone();
                std::thread::spawn(move || while answer(&stream, &folder).unwrap_or(false) {});
            }
        });
        Http { at }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.at)
    }
}

/// Answers one request; true where the connection stays.
fn answer(mut stream: &TcpStream, folder: &Path) -> std::io::Result<bool> {
    let mut lines = BufReader::new(stream).lines();
    let Some(request) = lines.next().transpose()? else { return Ok(false) };
    let mut headers = HashMap::new();
    for line in lines {
        let line = line?;
        let Some((key, value)) = line.split_once(": ") else { break };
        headers.insert(key.to_ascii_lowercase(), value.to_owned());
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (mode, name) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    let mut head = |status: &str, more: &str| write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\n{more}\r\n");
    let none = "Content-Length: 0\r\n";
    let Ok(all) = std::fs::read(folder.join(name)) else {
        head("404 Not Found", none)?;
        return Ok(false);
    };
    if mode == "moved" {
        head("302 Found", &format!("Location: /range/{name}\r\n{none}"))?;
        return Ok(false);
    }
    if mode == "login" && headers.get("authorization").map(String::as_str) != Some("Basic dTpwYTU1d29yZA==") {
        head("401 Unauthorized", &format!("WWW-Authenticate: Basic realm=\"x\"\r\n{none}"))?;
        return Ok(false);
    }
    let range = headers.get("range").filter(|_| matches!(mode, "range" | "login" | "cutrange"));
    let from = range.and_then(|r| r.strip_prefix("bytes=")?.split('-').next()?.parse().ok()).unwrap_or(0usize);
    let body = all.get(from..).unwrap_or_default();
    let length = format!("Content-Length: {}\r\n", body.len());
    match (mode, range) {
        ("chunked", _) => head("200 OK", "Transfer-Encoding: chunked\r\n")?,
        (_, Some(_)) => {
            let (last, n) = (all.len() - 1, all.len());
            head("206 Partial Content", &format!("Content-Range: bytes {from}-{last}/{n}\r\n{length}"))?;
        }
        ("range" | "login" | "cutrange", None) => head("200 OK", &format!("Accept-Ranges: bytes\r\n{length}"))?,
        _ => head("200 OK", &length)?,
    }
    match mode {
        "chunked" => {
            for chunk in body.chunks(50_000) {
                write!(stream, "{:x}\r\n", chunk.len())?;
                stream.write_all(chunk)?;
                stream.write_all(b"\r\n")?;
            }
            stream.write_all(b"0\r\n\r\n")?;
        }
        "stall" => {
            stream.write_all(&body[..body.len() / 2])?;
            std::thread::sleep(Duration::from_secs(60));
        }
        "cut" => {
            stream.write_all(&body[..body.len() / 2])?;
            std::thread::sleep(Duration::from_secs(1));
        }
        "cutrange" => stream.write_all(&body[..body.len().min(all.len() / 3 + 1)])?,
        _ => stream.write_all(body)?,
    }
    Ok(false)
}

/// 100 frames of H.264 with AAC, about 2 MB, the index in front or at the end.
fn movie(folder: &Path, name: &str, front: bool) -> PathBuf {
    let path = folder.join(name);
    let mut args: Vec<&str> = "-v error -f lavfi -i testsrc2=s=640x480:r=25:d=4 -f lavfi -i sine=d=4 -c:v libx264 \
        -preset ultrafast -crf 5 -c:a aac"
        .split_whitespace()
        .collect();
    if front {
        args.extend(["-movflags", "+faststart"]);
    }
    let mut args: Vec<&std::ffi::OsStr> = args.into_iter().map(std::ffi::OsStr::new).collect();
    args.push(path.as_os_str());
    tool("ffmpeg", &args);
    path
}

#[test]
fn http_is_read_whatever_the_server_can() {
    let dir = temp();
    movie(dir.path(), "front.mp4", true);
    movie(dir.path(), "end.mp4", false);
    movie(dir.path(), "x.mkv", false);
    let server = Http::new(dir.path());
    for path in [
        "range/front.mp4",
        "range/end.mp4",
        "plain/front.mp4",
        "plain/x.mkv",
        "chunked/front.mp4",
        "chunked/end.mp4",
        "moved/end.mp4",
        "cutrange/front.mp4",
        "cutrange/end.mp4",
    ] {
        let out = fw!["run", server.url(path), "-o", "null", "--timeout", "10"].ok();
        assert_eq!(out.count("frames_out"), 100, "{path}");
    }
    let url = server.url("login/end.mp4").replace("//", "//u:pa55word@");
    let out = fw!["run", "-vvv", url, "-o", "null", "--timeout", "10"].ok();
    assert!(!out.stderr.contains("pa55word") && !out.stats.to_string().contains("pa55word"), "{}", out.stderr);
}

#[test]
fn http_failures_are_told() {
    let dir = temp();
    movie(dir.path(), "front.mp4", true);
    movie(dir.path(), "end.mp4", false);
    std::fs::write(dir.path().join("text.mp4"), "not a video\n".repeat(500)).expect("a file");
    let server = Http::new(dir.path());
    for (path, words) in [
        ("range/none.mp4", "nothing under this path"),
        ("login/end.mp4", "asks for a user name and a password"),
        ("range/text.mp4", "cannot open"),
    ] {
        fw!["run", server.url(path), "-o", "null", "--timeout", "10"].fails(3).says(&[words]);
    }
    fw!["run", format!("http://{}/x", nobody()), "-o", "null"].fails(3).says(&["refuses the connection"]);
    fw!["run", "http://no-such-host.invalid/x", "-o", "null"].fails(3).says(&["there is no host named"]);
}

#[test]
fn http_that_breaks_off_leaves_what_came() {
    let dir = temp();
    movie(dir.path(), "front.mp4", true);
    let server = Http::new(dir.path());
    for mode in ["stall", "cut"] {
        let target = dir.path().join(format!("{mode}.mp4"));
        let url = server.url(&format!("{mode}/front.mp4"));
        let out = fw!["run", url, "-o", &target, "--timeout", "4"].fails(3);
        out.says(&["lost the connection"]);
        let frames = Media::open(&target).frames();
        assert!((30..90).contains(&frames), "{mode}: {frames} frames of the first half");
        assert_eq!(frames as u64, out.count("frames_in"));
    }
}
