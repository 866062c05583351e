//! Network sources: logins that no debug string shows, time limits, and what is wrong when one cannot be opened.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

use gstreamer::glib;
use gstreamer::prelude::*;

use crate::config::{RtspTransport, SourceSettings};
use crate::failure::Failure;
use crate::redact::redact;

/// How long finding out why a server cannot be reached may take.
const DIAGNOSIS: Duration = Duration::from_secs(3);

/// Something on the network.
pub struct Remote {
    /// Its URI without login.
    pub uri: String,
    login: Option<(String, String)>,
}

impl Remote {
    /// Takes `scheme://user:password@rest` apart.
    pub fn new(uri: &str) -> Self {
        let Ok(mut url) = url::Url::parse(uri) else { return Remote { uri: uri.to_owned(), login: None } };
        if url.username().is_empty() && url.password().is_none() {
            return Remote { uri: uri.to_owned(), login: None };
        }
        let plain = |s: &str| percent_encoding::percent_decode_str(s).decode_utf8_lossy().into_owned();
        let login = (plain(url.username()), plain(url.password().unwrap_or("")));
        match (url.set_username(""), url.set_password(None)) {
            (Ok(()), Ok(())) => Remote { uri: url.to_string(), login: Some(login) },
            _ => Remote { uri: uri.to_owned(), login: None },
        }
    }

    /// Sets up the element that reads it; the login goes in as properties, so that no debug string holds it.
    pub fn setup(&self, source: &gstreamer::Element, settings: &SourceSettings) {
        let set = |name: &str, value: &str| {
            if source.has_property(name) {
                source.set_property_from_str(name, value);
            }
        };
        if let Some((user, password)) = &self.login {
            set("user-id", user);
            set("user-pw", password);
        }
        let timeout = settings.timeout.0;
        match source.factory().map(|f| f.name().to_string()).as_deref() {
            Some("rtspsrc") => {
                set("latency", &settings.latency.to_string());
                set(
                    "protocols",
                    match settings.rtsp_transport {
                        RtspTransport::Tcp => "tcp",
                        RtspTransport::Udp => "udp",
                        RtspTransport::UdpMcast => "udp-mcast",
                        RtspTransport::Http => "http",
                    },
                );
                // Microseconds without an answer before it gives up.
                set("tcp-timeout", &timeout.useconds().to_string());
            }
            // Seconds of silence before it connects once more and goes on where it was: must fit into our own limit.
            Some("souphttpsrc") => set("timeout", &timeout.seconds().div_ceil(2).to_string()),
            _ => {}
        }
    }

    /// What to tell when `name` cannot be opened because of `error`.
    pub fn explain(&self, name: &str, error: &glib::Error) -> Failure {
        use gstreamer::{ResourceError as R, StreamError as S};
        let what = |reason: &str| Failure::input(format!("cannot open {name}: {reason}"));
        if error.matches(R::NotAuthorized) {
            let scheme = self.uri.split(':').next().unwrap_or_default();
            let fix = format!("{scheme}://USER:PASSWORD@host/…; in them write / as %2F, @ as %40, ? as %3F, # as %23");
            return match self.login {
                None => what("the server asks for a user name and a password").fix(fix),
                Some(_) => what("the server does not accept this user name and password").fix(fix),
            };
        }
        if error.matches(R::NotFound) {
            return what(&format!("the server has nothing under this path ({})", plain(error)));
        }
        if error.matches(R::Seek) {
            return what("the server breaks off, or cannot deliver parts of a file whose index is at the end")
                .fix("fetch it first, or let its maker put the index in front: ffmpeg -i IN -c copy -movflags +faststart OUT");
        }
        match self.unreachable() {
            Some(reason) => what(&reason),
            // What they make of silence, and of an answer in another protocol.
            None if error.matches(S::Failed) || error.matches(S::TypeNotFound) || error.matches(R::Read) => {
                what("the server takes the connection, and no answer comes that can be used")
                    .fix("--timeout waits longer")
            }
            None => what(&plain(error)),
        }
    }

    /// Why no connection can be made, if none can. GStreamer says only that it could not open the resource.
    fn unreachable(&self) -> Option<String> {
        let url = url::Url::parse(&self.uri).ok()?;
        let port = url.port().or(match url.scheme() {
            "rtsp" | "rtspt" | "rtspu" => Some(554),
            "rtsps" => Some(322),
            "http" => Some(80),
            "https" => Some(443),
            _ => return None,
        })?;
        let proxies = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
        if url.scheme().starts_with("http") && proxies.iter().any(|p| std::env::var_os(p).is_some()) {
            return None;
        }
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        let place = format!("{host} port {port}");
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let reason = match (host.as_str(), port).to_socket_addrs() {
                Err(_) => Some(format!("there is no host named {host}")),
                Ok(mut addresses) => {
                    let tried = addresses.next().map(|a| TcpStream::connect_timeout(&a, DIAGNOSIS));
                    let error = tried.and_then(Result::err);
                    error.map(|e| match e.kind() {
                        std::io::ErrorKind::ConnectionRefused => {
                            format!("{host} refuses the connection: nothing listens at port {port}")
                        }
                        _ => format!("no connection to {host} port {port}: {e}"),
                    })
                }
            };
            let _ = send.send(reason);
        });
        receive.recv_timeout(DIAGNOSIS + Duration::from_secs(1)).unwrap_or(Some(format!("no answer from {place}")))
    }
}

fn plain(error: &glib::Error) -> String {
    redact(error.message()).trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_taken_out_and_decoded() {
        let r = Remote::new("rtsp://ad%40min:p%2Fw@h:8554/x?y=1");
        assert_eq!(r.uri, "rtsp://h:8554/x?y=1");
        assert_eq!(r.login, Some(("ad@min".into(), "p/w".into())));
        let r = Remote::new("http://h/x");
        assert_eq!((r.uri.as_str(), r.login), ("http://h/x", None));
    }

    #[test]
    fn a_server_that_is_not_there_is_told() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let reason = Remote::new(&format!("http://127.0.0.1:{port}/x")).unreachable().unwrap();
        assert!(reason.contains("127.0.0.1 refuses the connection"), "{reason}");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(Remote::new(&format!("rtsp://127.0.0.1:{port}/x")).unreachable(), None);
    }
}
