//! Getting weights, when a person asks for it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::ModelError;
use super::locate::{self, Found};

/// Weights are a gigabyte at most; more is a wrong address.
const MOST: u64 = 4 << 30;

/// What [`fetch`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The right file was there already.
    Here(PathBuf),
    /// It is there now: its path and size in bytes.
    New(PathBuf, u64),
}

/// The SHA-256 of a file in lowercase hexadecimal.
pub fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(sum)),
            Ok(n) => sum.update(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

fn hex(sum: Sha256) -> String {
    sum.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// Gets the weights of `found` from its manifest's `url`, compares their sha256, and puts them into `folder` (the user's own
/// by default) under their name. Until they are whole and right they have another name. `progress` is called with the bytes
/// so far and in all, where that is known. Without a sha256 in the manifest this is an error unless `unchecked`.
pub fn fetch(
    found: &Found,
    folder: Option<&Path>,
    unchecked: bool,
    mut progress: impl FnMut(u64, Option<u64>),
) -> Result<Fetched, ModelError> {
    let failed = |what: String| ModelError::Failed { name: found.name.clone(), what };
    let manifest = &found.manifest;
    let wanted = manifest.sha256.as_deref();
    if let Some(path) = locate::weights(found)
        && (wanted.is_none() || sha256(&path).is_ok_and(|sum| wanted.is_some_and(|w| w.eq_ignore_ascii_case(&sum))))
    {
        return Ok(Fetched::Here(path));
    }
    let Some(url) = &manifest.url else {
        return Err(failed(format!(
            "its manifest names no url: export or get {} yourself{}",
            manifest.file,
            manifest.source.as_ref().map(|s| format!(" ({s})")).unwrap_or_default()
        )));
    };
    if wanted.is_none() && !unchecked {
        return Err(failed(format!(
            "its manifest names no sha256, so nothing tells whether {url} still gives the right file; --unchecked takes \
             it as it comes and prints the sha256"
        )));
    }
    let folder = match folder {
        Some(folder) => folder.to_owned(),
        None => locate::store().ok_or_else(|| failed("there is no home folder; set FRAMEWRIGHT_MODELS".into()))?,
    };
    std::fs::create_dir_all(&folder).map_err(|e| failed(format!("cannot make {}: {e}", folder.display())))?;
    let name = Path::new(&manifest.file).file_name().unwrap_or(manifest.file.as_ref());
    let to = folder.join(name);
    let partial = folder.join(format!("{}.partial-{}", name.to_string_lossy(), std::process::id()));
    let got = download(url, &partial, &mut progress).and_then(|(sum, size)| match wanted {
        Some(wanted) if !sum.eq_ignore_ascii_case(wanted) => {
            Err(format!("{url} gave another file: sha256 {sum} instead of {wanted}; nothing was kept"))
        }
        _ => {
            std::fs::rename(&partial, &to).map_err(|e| format!("cannot rename to {}: {e}", to.display()))?;
            Ok(size)
        }
    });
    match got {
        Ok(size) => Ok(Fetched::New(to, size)),
        Err(what) => {
            let _ = std::fs::remove_file(&partial);
            Err(failed(what))
        }
    }
}

/// Writes what is at `url` to `to`: sha256 and size.
fn download(url: &str, to: &Path, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<(String, u64), String> {
    let unreadable = |e: &dyn std::fmt::Display| format!("cannot get {url}: {e}");
    let parsed = url::Url::parse(url).map_err(|e| unreadable(&e))?;
    let (mut body, size): (Box<dyn Read>, Option<u64>) = match parsed.scheme() {
        "file" => {
            let path = parsed.to_file_path().map_err(|()| format!("{url} names no file of this machine"))?;
            let file = File::open(&path).map_err(|e| unreadable(&e))?;
            let size = file.metadata().ok().map(|m| m.len());
            (Box::new(file), size)
        }
        "https" | "http" => {
            // No limit for the whole: a large model over a slow line may take an hour.
            let agent = ureq::Agent::new_with_config(
                ureq::Agent::config_builder()
                    .timeout_connect(Some(Duration::from_secs(20)))
                    .timeout_recv_response(Some(Duration::from_secs(60)))
                    .user_agent(concat!("framewright/", env!("CARGO_PKG_VERSION")))
                    .build(),
            );
            let response = agent.get(url).call().map_err(|e| unreadable(&e))?;
            let body = response.into_body();
            let size = body.content_length();
            (Box::new(body.into_with_config().limit(MOST).reader()), size)
        }
        other => return Err(format!("cannot get {url}: {other}: is not known; https:, http: and file: are")),
    };
    let unwritable = |e: io::Error| format!("cannot write {}: {e}", to.display());
    let mut file = File::create(to).map_err(unwritable)?;
    let mut sum = Sha256::new();
    let (mut done, mut buffer) = (0, vec![0; 1 << 16]);
    loop {
        let n = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(unreadable(&e)),
        };
        done += n as u64;
        if done > MOST {
            return Err(format!("{url} is larger than {} GB: that is no model", MOST >> 30));
        }
        sum.update(&buffer[..n]);
        file.write_all(&buffer[..n]).map_err(unwritable)?;
        progress(done, size);
    }
    if size.is_some_and(|size| size != done) {
        return Err(format!("{url} broke off after {done} of {} bytes", size.unwrap_or_default()));
    }
    file.sync_all().map_err(unwritable)?;
    Ok((hex(sum), done))
}
