//! What `INPUT` means: a file, a URI, a camera, a pattern, pictures, a pipeline.

use std::path::{Path, PathBuf};

use crate::config::{IMAGE_EXTENSIONS, did_you_mean, number_pattern};
use crate::failure::Failure;
use crate::redact::redact;

/// An input by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file of this machine.
    File(PathBuf),
    /// Anything with a scheme that GStreamer reads.
    Uri(String),
    /// Standard input.
    Stdin,
    /// A camera by number, device path or name.
    Camera(String),
    /// A `videotestsrc` pattern.
    Test(String),
    /// Pictures made by OpenCV.
    Generate(String),
    /// gst-launch text.
    Pipeline(String),
    /// Picture files, in order.
    Images(Vec<PathBuf>),
}

const KINDS: [&str; 5] = ["camera", "test", "generate", "pipeline", "file"];

impl Input {
    /// Reads the text of `[source] uri`. Looks at the file system for paths, opens nothing.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        if text == "-" {
            return Ok(Input::Stdin);
        }
        // A file that exists wins over everything that its name could also mean.
        if Path::new(text).exists() {
            return Ok(Input::File(text.into()));
        }
        if let Some((scheme, rest)) = text.split_once(':') {
            let rest = rest.trim();
            match scheme {
                "camera" => return Ok(Input::Camera(if rest.is_empty() { "0".into() } else { rest.into() })),
                "test" => return Ok(Input::Test(if rest.is_empty() { "smpte".into() } else { rest.into() })),
                "generate" => return Ok(Input::Generate(if rest.is_empty() { "scene".into() } else { rest.into() })),
                "pipeline" if rest.is_empty() => {
                    return Err(Failure::input("the pipeline is empty")
                        .fix("give what you would give gst-launch-1.0, up to raw video, as in pipeline:videotestsrc"));
                }
                "pipeline" => return Ok(Input::Pipeline(rest.into())),
                _ => {}
            }
            if rest.starts_with("//") {
                let url = url::Url::parse(text).map_err(|e| {
                    Failure::input(format!("cannot open {}: it is no valid URL: {e}", redact(text)))
                        .fix("in a user name or password write / as %2F, @ as %40, ? as %3F, # as %23, % as %25")
                })?;
                if url.scheme() == "file" {
                    let path = url
                        .to_file_path()
                        .map_err(|()| Failure::input(format!("{text} names no file of this machine")))?;
                    return Input::path(path);
                }
                return Ok(Input::Uri(text.into()));
            }
            let simple = scheme.chars().all(|c| c.is_ascii_lowercase());
            let hint = did_you_mean(scheme, KINDS);
            if simple && !hint.is_empty() {
                return Err(Failure::input(format!(
                    "cannot open {}: there is no such file, and no source kind `{scheme}:`{hint}",
                    redact(text)
                )));
            }
        }
        Input::path(text.into())
    }

    fn path(path: PathBuf) -> Result<Self, Failure> {
        let name = path.to_string_lossy().into_owned();
        if path.exists() {
            return Ok(Input::File(path));
        }
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        if let Some((before, width, after)) =
            number_pattern(&name).filter(|_| IMAGE_EXTENSIONS.contains(&extension.as_str()) || extension == "webp")
        {
            return Ok(Input::Images(numbered(&before, width, &after)?));
        }
        if name.contains(['*', '?', '[']) {
            let mut files: Vec<PathBuf> = glob::glob(&name)
                .map_err(|e| Failure::input(format!("cannot open {name}: bad glob: {e}")))?
                .filter_map(Result::ok)
                .filter(|p| p.is_file())
                .collect();
            files.sort();
            return match files.len() {
                0 => Err(Failure::input(format!("cannot open {name}: no file matches"))),
                _ => Ok(Input::Images(files)),
            };
        }
        Err(Failure::input(format!("cannot open {name}: no such file or directory")))
    }

    /// How people call this input; no password in it.
    pub fn label(&self) -> String {
        match self {
            Input::File(p) => p.file_name().unwrap_or(p.as_os_str()).to_string_lossy().into_owned(),
            Input::Uri(u) => redact(u),
            Input::Stdin => "stdin".into(),
            Input::Camera(c) => format!("camera:{c}"),
            Input::Test(p) => format!("test:{p}"),
            Input::Generate(g) => format!("generate:{g}"),
            Input::Pipeline(_) => "pipeline".into(),
            Input::Images(files) => match files.first() {
                Some(f) => format!("{} and on", f.file_name().unwrap_or_default().to_string_lossy()),
                None => "pictures".into(),
            },
        }
    }
}

/// The files `before`N`after` from the first N of 0 or 1 that exists, up to the first gap.
fn numbered(before: &str, width: usize, after: &str) -> Result<Vec<PathBuf>, Failure> {
    let at = |n: usize| PathBuf::from(format!("{before}{n:0width$}{after}"));
    let dir = Path::new(before);
    let dir = if before.ends_with('/') { dir } else { dir.parent().unwrap_or(Path::new("")) };
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    // The smallest number that is there, so that sequences may start anywhere.
    let prefix = before.rsplit('/').next().unwrap_or(before);
    let first = std::fs::read_dir(dir)
        .map_err(|e| Failure::input(format!("cannot open {}: {e}", dir.display())))?
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .filter_map(|n| n.strip_prefix(prefix)?.strip_suffix(after)?.parse::<usize>().ok())
        .filter(|&n| at(n).is_file())
        .min();
    match first {
        None => Err(Failure::input(format!("cannot open {before}%0{width}d{after}: there is no such picture"))),
        Some(first) => Ok((first..).map(at).take_while(|p| p.is_file()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_kinds_apart() {
        assert_eq!(Input::parse("test:ball").unwrap(), Input::Test("ball".into()));
        assert_eq!(Input::parse("camera:/dev/video7").unwrap(), Input::Camera("/dev/video7".into()));
        assert_eq!(Input::parse("-").unwrap(), Input::Stdin);
        assert!(matches!(Input::parse("rtsp://u:p@h/x").unwrap(), Input::Uri(_)));
        assert!(!Input::parse("rtsp://u:secret@h/x").unwrap().label().contains("secret"));
        let e = Input::parse("rtsp://u:sec/ret@h/x").unwrap_err();
        assert!(e.message.contains("rtsp://u:***@h/x: it is no valid URL"), "{e}");
        let e = Input::parse("generat:clock").unwrap_err().to_string();
        assert!(e.contains("did you mean `generate`"), "{e}");
        assert!(Input::parse("nowhere.mp4").unwrap_err().to_string().contains("no such file"));
        assert!(Input::parse("nowhere/*.png").is_err() && Input::parse("nowhere/%d.png").is_err());
    }

    #[test]
    fn numbered_pictures_start_where_they_start_and_end_at_the_gap() {
        let dir = tempfile::tempdir().unwrap();
        for n in [7, 8, 9, 11] {
            std::fs::write(dir.path().join(format!("f{n:03}.png")), b"x").unwrap();
        }
        let Input::Images(files) = Input::parse(&format!("{}/f%03d.png", dir.path().display())).unwrap() else {
            panic!()
        };
        assert_eq!(files.len(), 3);
        assert!(files[0].ends_with("f007.png"));
    }
}
