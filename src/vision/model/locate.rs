//! Where manifests and weights are looked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ModelError;
use super::manifest::Manifest;
use crate::config::did_you_mean;

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// The manifests of `models/`, so that the binary knows them wherever it is.
        pub const SHIPPED: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../../models/", $name, ".toml")))),*
        ];
    };
}

shipped!(
    "tiny_scene",
    "yunet",
    "yunet_n_320",
    "yunet_s_320",
    "yunet_s_640",
    "yunet_2022feb",
    "yunet_2022feb_160",
    "ultraface_rfb_320",
    "ultraface_slim_320",
    "yolox_nano",
    "yolox_tiny",
    "yolox_s",
    "yolox_m",
    "yolox_l",
    "yolox_x",
    "nanodet",
    "nanodet_416",
    "fastestdet",
    "yolov5",
    "yolov8",
    "osnet_x0_25",
);

/// The weights of the one model that needs no download, made by `scripts/tiny-model`.
const TINY: (&str, &[u8]) = ("tiny_scene.onnx", include_bytes!("../../../models/tiny_scene.onnx"));

/// A manifest and where it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The manifest's file name without its extension.
    pub name: String,
    /// The manifest's path. Shipped ones that lie in no folder are at `models/NAME.toml` of nowhere.
    pub path: PathBuf,
    /// Whether it is only in the binary.
    pub shipped: bool,
    /// What it says.
    pub manifest: Manifest,
}

/// Where a program of this user keeps its data: `$XDG_DATA_HOME`, else `~/.local/share`.
pub fn data_home() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|h| h.join(".local/share")))
}

/// The folder that fetched weights are written to: the first of `FRAMEWRIGHT_MODELS`, else the user's data folder.
pub fn store() -> Option<PathBuf> {
    named_folders().into_iter().next().or_else(|| data_home().map(|d| d.join("framewright/models")))
}

fn named_folders() -> Vec<PathBuf> {
    let list = std::env::var_os("FRAMEWRIGHT_MODELS").unwrap_or_default();
    std::env::split_paths(&list).filter(|p| !p.as_os_str().is_empty()).collect()
}

/// All folders, in the order in which they are looked through.
pub fn folders() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("models")];
    folders.extend(named_folders());
    folders.extend(data_home().map(|d| d.join("framewright/models")));
    if let Some(bin) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        folders.push(bin.join("models"));
        folders.push(bin.join("../share/framewright/models"));
    }
    folders
}

/// The manifest called `name`: a path to one, or a name to be found in the folders or in the binary.
pub fn find(name: &str) -> Result<Found, ModelError> {
    let as_path = Path::new(name);
    if name.ends_with(".toml") || as_path.components().count() > 1 {
        let unreadable = |e: std::io::Error| ModelError::Manifest { path: name.into(), what: e.to_string() };
        let text = std::fs::read_to_string(as_path).map_err(unreadable)?;
        let stem = as_path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let manifest = Manifest::parse(&text, as_path)?;
        return Ok(Found { name: stem, path: as_path.to_owned(), shipped: false, manifest });
    }
    for folder in folders() {
        let path = folder.join(format!("{name}.toml"));
        if let Ok(text) = std::fs::read_to_string(&path) {
            let manifest = Manifest::parse(&text, &path)?;
            return Ok(Found { name: name.to_owned(), path, shipped: false, manifest });
        }
    }
    if let Some((name, text)) = SHIPPED.iter().find(|(n, _)| *n == name) {
        return shipped(name, text);
    }
    let known: Vec<String> = names().into_keys().collect();
    let hint = did_you_mean(name, known.iter().map(String::as_str));
    Err(ModelError::Unknown { name: name.to_owned(), hint: hint.to_string() })
}

fn shipped(name: &str, text: &str) -> Result<Found, ModelError> {
    let path = PathBuf::from(format!("models/{name}.toml"));
    let manifest = Manifest::parse(text, &path)?;
    Ok(Found { name: name.to_owned(), path, shipped: true, manifest })
}

/// Every name there is a manifest for, with the manifest's path where it lies in a folder.
pub fn names() -> BTreeMap<String, Option<PathBuf>> {
    let mut names: BTreeMap<String, Option<PathBuf>> = SHIPPED.iter().map(|(n, _)| ((*n).to_owned(), None)).collect();
    for folder in folders().iter().rev() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|e| e == "toml")
                && let Some(stem) = path.file_stem().and_then(|s| s.to_str())
            {
                names.insert(stem.to_owned(), Some(path.clone()));
            }
        }
    }
    names
}

/// The weights that `found` means: beside the manifest, or in one of the folders or one level below. `None` where they are not.
pub fn weights(found: &Found) -> Option<PathBuf> {
    let file = Path::new(&found.manifest.file);
    if file.is_absolute() {
        return file.is_file().then(|| file.to_owned());
    }
    if !found.shipped {
        let beside = found.path.parent().unwrap_or(Path::new("")).join(file);
        if beside.is_file() {
            return Some(beside);
        }
    }
    for folder in folders() {
        let direct = folder.join(file);
        if direct.is_file() {
            return Some(direct);
        }
        let mut below: Vec<PathBuf> =
            std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|e| e.path().join(file)).collect();
        below.sort();
        if let Some(path) = below.into_iter().find(|p| p.is_file()) {
            return Some(path);
        }
    }
    None
}

/// The weights that come with the binary, for a manifest that names them.
pub(super) fn built_in(found: &Found) -> Option<&'static [u8]> {
    (found.manifest.file == TINY.0).then_some(TINY.1)
}

/// True where the weights come with the binary.
pub fn is_built_in(found: &Found) -> bool {
    built_in(found).is_some()
}

/// The folders in words.
pub(super) fn looked() -> String {
    folders().iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_manifest_is_in_the_list_and_reads() {
        for (name, text) in SHIPPED {
            let found = shipped(name, text).unwrap();
            if let Some(labels) = &found.manifest.labels {
                super::super::labels::read(labels, &found.path).unwrap();
            }
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        let files = std::fs::read_dir(folder).unwrap().flatten().map(|e| e.path());
        let mut here: Vec<String> = files
            .filter(|p| p.extension().is_some_and(|e| e == "toml"))
            .map(|p| p.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        here.sort();
        let mut listed: Vec<String> = SHIPPED.iter().map(|(n, _)| (*n).to_owned()).collect();
        listed.sort();
        assert_eq!(here, listed);
    }
}
