//! Output names of a batch: `out/{dir}/{stem}.mp4`.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::inputs::Found;
use crate::config::{Settings, SinkKind, SinkSettings};
use crate::failure::Failure;
use crate::vision::model::locate;

/// What stands for the input in names of outputs.
pub const FIELDS: [&str; 4] = ["{dir}", "{stem}", "{name}", "{ext}"];

/// The name that `pattern` gives for an input: no two slashes in a row, nothing outside of the pattern's folder.
pub fn render(pattern: &Path, input: &Found) -> PathBuf {
    let part = |p: Option<&std::ffi::OsStr>| readable(p.unwrap_or_default().as_bytes());
    let dir: Vec<String> = input
        .dir
        .components()
        .filter(|c| matches!(c, Component::Normal(_)))
        .map(|c| readable(c.as_os_str().as_bytes()))
        .collect();
    let values =
        [dir.join("/"), part(input.path.file_stem()), part(input.path.file_name()), part(input.path.extension())];
    let mut out = String::new();
    let pattern = pattern.to_string_lossy();
    let mut rest = pattern.as_ref();
    // In one pass: what a file name holds is never read as a field.
    while !rest.is_empty() {
        let field = FIELDS.iter().position(|f| rest.starts_with(f));
        match field {
            Some(i) => {
                out += &values[i];
                rest = &rest[FIELDS[i].len()..];
            }
            None => {
                let next = rest.chars().next().map_or(1, char::len_utf8);
                out += &rest[..next];
                rest = &rest[next..];
            }
        }
    }
    let absolute = out.starts_with('/');
    let named = out.split('/').filter(|p| !p.is_empty() && *p != ".").collect::<Vec<_>>().join("/");
    if absolute { format!("/{named}").into() } else { named.into() }
}

/// Bytes of a name as text; what is no UTF-8 as %XX.
pub fn readable(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out += chunk.valid();
        chunk.invalid().iter().for_each(|b| out += &format!("%{b:02X}"));
    }
    out
}

/// True where the name differs from input to input.
pub fn varies(path: &Path) -> bool {
    let text = path.to_string_lossy();
    FIELDS.iter().any(|f| text.contains(f))
}

/// The folder that all outputs of a pattern lie in.
pub fn root(pattern: &Path) -> PathBuf {
    let fixed = pattern.components().take_while(|c| !varies(Path::new(c.as_os_str())));
    let fixed: PathBuf = fixed.collect();
    match fixed == pattern {
        true => fixed.parent().map(Path::to_owned).unwrap_or_default(),
        false => fixed,
    }
}

/// True for the one kind of output that a batch fills from all of its jobs: a database without a field in its name.
pub fn gathers(sink: &SinkSettings) -> bool {
    sink.kind == SinkKind::Records
        && matches!(sink.extension().as_str(), "db" | "sqlite")
        && sink.path.as_deref().is_some_and(|p| !varies(p))
}

/// What ops write, by op and key.
pub fn of_ops(settings: &Settings) -> impl Iterator<Item = (usize, &'static str, &Path)> {
    settings.ops.iter().enumerate().flat_map(|(i, op)| {
        let path = move |key: &&'static str| Some((i, *key, Path::new(op.effective.get(*key)?.as_str()?)));
        op.config.writes().iter().filter_map(path)
    })
}

/// Files that ops read, as far as their settings name them: logos, tables, references, models.
pub fn read_by_ops(settings: &Settings) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for op in &settings.ops {
        let texts = op.effective.iter().filter(|(key, _)| !op.config.writes().contains(&key.as_str()));
        for (key, text) in texts.filter_map(|(key, v)| Some((key.as_str(), v.as_str()?))) {
            all.extend(Some(PathBuf::from(text)).filter(|p| p.is_file()));
            if let ("model", Ok(found)) = (key, locate::find(text)) {
                all.extend(locate::weights(&found));
                all.push(found.path);
            }
        }
    }
    all
}

/// Whether each output can be written by many jobs.
pub fn check(settings: &Settings) -> Result<(), Failure> {
    for sink in &settings.sinks {
        let label = sink.label();
        match sink.kind {
            SinkKind::Display | SinkKind::Pipeline => {
                return Err(Failure::usage(format!(
                    "a batch has no output `{label}`: its jobs run without anybody watching"
                ))
                .fix("write files, as in -o 'out/{dir}/{stem}.mp4', or -o null to analyse only"));
            }
            _ if sink.is_stdout() => {
                return Err(Failure::usage("a batch cannot write to standard output: its jobs run side by side")
                    .fix("-o 'out/{dir}/{stem}.jsonl', or one database for all jobs: -o events.db"));
            }
            SinkKind::Null | SinkKind::Webhook | SinkKind::Mqtt => {}
            _ if gathers(sink) => {}
            SinkKind::File | SinkKind::Images | SinkKind::Records | SinkKind::Clips | SinkKind::Report => {
                let path = sink.path.as_deref().unwrap_or(Path::new(""));
                if !varies(path) {
                    let fix = match path.parent().filter(|p| !p.as_os_str().is_empty()) {
                        Some(folder) => format!("{}/{{dir}}/{{stem}}.{}", folder.display(), sink.extension()),
                        None => format!("out/{{dir}}/{{stem}}.{}", sink.extension()),
                    };
                    return Err(Failure::usage(format!("every job would write to {label}"))
                        .fix(format!("put fields into the name ({}), as in -o '{fix}'", FIELDS.join(" "))));
                }
            }
        }
    }
    for (key, path) in [("stats", &settings.stats), ("measures", &settings.measures)] {
        if let Some(path) = path.as_deref().filter(|p| !varies(p)) {
            return Err(Failure::usage(format!("every job would write its {key} to {}", path.display())).fix(format!(
                "put fields into the name ({}), as in {key} = \"out/{{dir}}/{{stem}}.{key}.json\"",
                FIELDS.join(" ")
            )));
        }
    }
    let Some((i, key, path)) = of_ops(settings).find(|(_, _, p)| !varies(p)) else { return Ok(()) };
    let (name, shown) = (settings.ops[i].name, path.display());
    Err(Failure::usage(format!("every job would write the {key} of op {name} to {shown}")).fix(format!(
        "put fields into the name ({}), as in --set 'op.{i}.{key}=out/{{dir}}/{{stem}}.{}'",
        FIELDS.join(" "),
        path.extension().unwrap_or_default().to_string_lossy()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_in_and_stay_inside() {
        let found = |path: &str, dir: &str| Found { path: path.into(), dir: dir.into() };
        let r =
            |pattern: &str, path: &str, dir: &str| render(Path::new(pattern), &found(path, dir)).display().to_string();
        assert_eq!(r("out/{dir}/{stem}.mp4", "/v/a b%.x.mkv", "in/x"), "out/in/x/a b%.x.mp4");
        assert_eq!(r("out/{dir}/{stem}.mp4", "/v/a.mkv", ""), "out/a.mp4");
        assert_eq!(r("/o/{name}-{ext}.mkv", "/v/{stem}.avi", "../../etc"), "/o/{stem}.avi-avi.mkv");
        assert_eq!(r("{dir}/{stem}.out.mp4", "/v/a.mkv", "/abs/dir"), "abs/dir/a.out.mp4");
        let raw = <std::ffi::OsStr as OsStrExt>::from_bytes(b"/v/\xff%.mp4");
        let odd = Found { path: raw.into(), dir: PathBuf::new() };
        assert_eq!(render(Path::new("o/{stem}.mp4"), &odd), Path::new("o/%FF%.mp4"));
    }

    #[test]
    fn the_folder_of_all_outputs_is_what_does_not_vary() {
        for (pattern, folder) in [("out/{dir}/{stem}.mp4", "out"), ("out/x/{stem}/a.mp4", "out/x"), ("{stem}.mp4", "")]
        {
            assert_eq!(root(Path::new(pattern)), Path::new(folder), "{pattern}");
        }
        assert_eq!(root(Path::new("a/all.db")), Path::new("a"));
    }

    #[test]
    fn outputs_that_jobs_would_share_are_refused() {
        let with = |o: &str| Settings { sinks: vec![SinkSettings::from_text(o)], ..Settings::default() };
        for bad in ["out/a.mp4", "display", "jsonl:-", "all.jsonl", "pipeline:fakesink"] {
            assert!(check(&with(bad)).is_err(), "{bad}");
        }
        for good in ["out/{stem}.mp4", "null", "all.db", "{stem}/%05d.png", "webhook:http://h/x"] {
            assert!(check(&with(good)).is_ok(), "{good}");
        }
    }
}
