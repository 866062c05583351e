//! GStreamer's discoverer, with its answer turned into a [`Report`] and its errors into reasons.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::glib;
use gstreamer_pbutils::{Discoverer, DiscovererInfo, DiscovererResult};

use super::report::Report;
use crate::cli::doctor;
use crate::failure::Failure;
use crate::redact::redact;
use crate::source::locate::cannot_open;
use crate::source::truncation::{self, Whole};
use crate::term::clean;

/// What the discoverer found, and why that may not be enough.
pub struct Found {
    /// The streams.
    pub report: Report,
    /// A video decoder is missing: unless decoding works all the same, this is the result.
    pub missing: Option<Failure>,
}

/// Asks what `uri` holds; `path` is where it lies if it is a local file.
pub fn discover(input: &OsStr, uri: &str, path: Option<&Path>, timeout: Duration) -> Result<Found, Failure> {
    let (info, error) = ask(uri, timeout).map_err(|reason| cannot_open(input, reason))?;
    let whole = path.map_or(Whole::AsFarAsSeen, truncation::whole);
    let missing: Vec<Missing> = info.missing_elements_installer_details().iter().map(|d| Missing::parse(d)).collect();
    let mut report = Report::new(input, uri, path, &info);
    if let Whole::Short(bytes) = whole {
        report.warnings.push(format!("the file is cut off: {bytes} bytes are missing at its end"));
    }
    let said = match (info.result(), &error) {
        (DiscovererResult::Ok, _) if !report.is_empty() => return Ok(Found { report, missing: None }),
        (DiscovererResult::Ok, _) => "it is not a media file: it holds no video, audio or subtitles".to_owned(),
        (DiscovererResult::MissingPlugins, _) if !missing.is_empty() => {
            let failure = missing_failure(input, &missing);
            if report.is_empty() {
                return Err(failure);
            }
            report.warnings.extend(missing.iter().map(Missing::warning));
            let missing = missing.iter().any(|m| m.video).then_some(failure);
            return Ok(Found { report, missing });
        }
        (DiscovererResult::Timeout, _) => too_slow(timeout),
        (_, Some(e)) => explain(e),
        (DiscovererResult::UriInvalid, None) => "it is not a valid URI".to_owned(),
        (_, None) => "GStreamer cannot open it and does not say why".to_owned(),
    };
    let reason = match whole {
        Whole::NoIndex => "the file is cut off: its index (moov) is missing, the recording was not finished".to_owned(),
        Whole::Short(bytes) => format!("the file is cut off: {bytes} bytes are missing at its end"),
        Whole::AsFarAsSeen => said,
    };
    let failure = cannot_open(input, reason);
    Err(match path {
        Some(_) => failure,
        None => failure.fix("check the address, the network, and user name and password"),
    })
}

fn missing_failure(input: &OsStr, missing: &[Missing]) -> Failure {
    let what: Vec<&str> = missing.iter().map(|m| m.what.as_str()).collect();
    let packages: Vec<&str> = missing.iter().filter_map(|m| m.package).collect();
    let failure = cannot_open(input, format!("no plugin is installed for {}", what.join(", ")));
    if packages.is_empty() { failure } else { failure.fix(doctor::install_hint(&packages)) }
}

fn too_slow(timeout: Duration) -> String {
    format!("no answer within {} s (--timeout sets how long to wait)", timeout.as_secs())
}

/// Runs the discoverer in a thread with its own main context: its blocking call keeps no details of a failure, and would
/// hang with a plugin that does.
fn ask(uri: &str, timeout: Duration) -> Result<(DiscovererInfo, Option<glib::Error>), String> {
    let (send, receive) = mpsc::channel();
    let uri = uri.to_owned();
    let work = move || {
        let context = glib::MainContext::new();
        let failed = send.clone();
        let asked = context.with_thread_default(|| -> Result<(), String> {
            let text = |e: glib::Error| e.message().to_owned();
            let discoverer = Discoverer::new(gst::ClockTime::from_nseconds(timeout.as_nanos() as u64)).map_err(text)?;
            let (done, finished) = mpsc::channel();
            discoverer.connect_discovered(move |_, info, error| {
                let _ = send.send(Ok((info.clone(), error.cloned())));
                let _ = done.send(());
            });
            discoverer.start();
            discoverer.discover_uri_async(&uri).map_err(|e| e.to_string())?;
            let until = Instant::now() + timeout + Duration::from_secs(2);
            while finished.try_recv().is_err() && Instant::now() < until {
                if !context.iteration(false) {
                    thread::sleep(Duration::from_millis(2));
                }
            }
            discoverer.stop();
            Ok(())
        });
        if let Some(reason) = asked.map_or_else(|e| Some(e.to_string()), Result::err) {
            let _ = failed.send(Err(reason));
        }
    };
    thread::Builder::new().name("discover".into()).spawn(work).map_err(|e| e.to_string())?;
    receive.recv_timeout(timeout + Duration::from_secs(3)).unwrap_or_else(|_| Err(too_slow(timeout)))
}

/// `error` in words.
pub fn explain(error: &glib::Error) -> String {
    use gst::{ResourceError, StreamError};
    let said = clean(&redact(error.message()));
    if let Some(kind) = error.kind::<StreamError>() {
        return match kind {
            StreamError::TypeNotFound | StreamError::WrongType => format!("it is not a media file ({said})"),
            _ => said,
        };
    }
    match error.kind::<ResourceError>() {
        Some(ResourceError::NotAuthorized) => format!("user name or password refused ({said})"),
        Some(ResourceError::NotFound) => format!("not found ({said})"),
        _ => said,
    }
}

/// A plugin that is not there.
struct Missing {
    /// `H.265 (Main Profile) decoder`.
    what: String,
    package: Option<&'static str>,
    /// It decodes video.
    video: bool,
}

impl Missing {
    /// Reads an installer detail string: `gstreamer|1.0|probe|H.265 decoder|decoder-video/x-h265, …`.
    fn parse(detail: &str) -> Missing {
        let fields: Vec<&str> = detail.splitn(5, '|').collect();
        let what = clean(fields.get(3).copied().unwrap_or(detail));
        let kind = fields.get(4).copied().unwrap_or_default();
        let (class, rest) = kind.split_once('-').unwrap_or((kind, ""));
        let media = rest.split(',').next().unwrap_or_default().trim();
        let package = match (class, media) {
            ("decoder", media) => doctor::package_for_decoder(media),
            ("urisource", "http" | "https") => doctor::package_for("souphttpsrc"),
            ("urisource", "rtsp" | "rtsps") => doctor::package_for("rtspsrc"),
            ("urisource", "srt") => doctor::package_for("srtsrc"),
            ("element", element) => doctor::package_for(element),
            _ => None,
        };
        let video = class == "decoder" && (media.starts_with("video/") || media.starts_with("image/"));
        Missing { what, package, video }
    }

    fn warning(&self) -> String {
        let install = self.package.map(|p| format!(": install {p}")).unwrap_or_default();
        format!("no plugin is installed for {}{install}", self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_plugin_names_codec_and_package() {
        for (detail, what, element, video) in [
            ("H.265 decoder|decoder-video/x-h265, profile=main", "H.265 decoder", Some("avdec_h265"), true),
            ("Opus decoder|decoder-audio/x-opus", "Opus decoder", Some("opusdec"), false),
            ("HTTP protocol source|urisource-http", "HTTP protocol source", Some("souphttpsrc"), false),
            ("FOO protocol source|urisource-foo", "FOO protocol source", None, false),
            ("videoflip|element-videoflip", "videoflip", Some("videoflip"), false),
            ("odd decoder|decoder-application/x-odd", "odd decoder", None, false),
        ] {
            let m = Missing::parse(&format!("gstreamer|1.0|framewright|{detail}"));
            assert_eq!((m.what.as_str(), m.package, m.video), (what, element.and_then(doctor::package_for), video));
        }
        assert_eq!(Missing::parse("odd").what, "odd");
    }
}
