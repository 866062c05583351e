//! What is above single settings: includes, variables, named regions, `--set` and the schema.

use std::path::{Path, PathBuf};

use crate::common::*;
use crate::fw;

const SOURCE: &str = "[source]\nuri = \"test:smpte\"\nsize = \"64x48\"\nframes = 3\n";
const SINK: &str = "[[sink]]\ntype = \"null\"\n";

pub fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

/// What `check --print` makes of it, which must read back the same.
fn effective(path: &Path, words: &str) -> toml::Table {
    let printed = fw!["check", path, "--print"].words(words).ok().stdout;
    let dir = temp();
    let copy = write(dir.path(), "copy.toml", &printed);
    assert_eq!(fw!["check", &copy, "--print"].ok().stdout, printed, "it reads back the same");
    printed.parse().expect("TOML")
}

fn says(path: &Path, words: &str, wanted: &[&str]) {
    fw!["check", path].words(words).fails(2).says(wanted);
}

/// The examples make their own pictures, so many and so large; a file is read whole.
#[test]
fn what_an_example_says_of_its_generator_is_left_out_for_a_file() {
    let dir = temp();
    let input = dir.path().join("in.mp4");
    fw!["run", "generate:counter", "-o", &input].words("--frames 90 --size 160x120 --fps 30").ok();
    let config = dir.path().join("c.toml");
    let source = "[source]\nuri = \"generate:scene\"\nsize = \"320x240\"\nfps = 10\nframes = 5\naudio = false\n";
    std::fs::write(&config, source).unwrap();
    assert_eq!(fw!["run", "-c", &config, &input, "-o", "null"].ok().count("frames_in"), 90);
    assert_eq!(fw!["run", "-c", &config, "generate:bars", "-o", "null"].ok().count("frames_in"), 5);
}

#[test]
fn included_files_come_first_and_the_including_one_wins() {
    let dir = temp();
    write(dir.path(), "parts/size.toml", "[source]\nsize = \"32x32\"\nfps = 10\n");
    write(
        dir.path(),
        "parts/base.toml",
        "include = [\"size.toml\"]\nthreads = 2\n[source]\nfps = 20\n[regions]\nleft = \"0,0,50%,100%\"\n\
         [[op]]\ntype = \"blur\"\n[[sink]]\ntype = \"null\"\n",
    );
    let path = write(
        dir.path(),
        "main.toml",
        "include = [\"parts/base.toml\"]\nthreads = 3\n[source]\nuri = \"test:smpte\"\n[[op]]\ntype = \"text\"\ntext = \"x\"\nregion = \"left\"\n\
         [[sink]]\npath = \"x.mp4\"\n",
    );
    let t = effective(&path, "");
    assert_eq!(t["threads"].as_integer(), Some(3));
    let source = &t["source"];
    assert_eq!(
        (source["size"].as_str(), source["fps"].as_str(), source["uri"].as_str()),
        (Some("32x32"), Some("20"), Some("test:smpte"))
    );
    let kinds = |list: &str| -> Vec<String> {
        t[list].as_array().unwrap().iter().map(|o| o["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((kinds("op"), kinds("sink")), (vec!["blur".into(), "text".into()], vec!["null".into(), "file".into()]));
    assert_eq!(t["op"][1]["region"][0].as_str(), Some("0,0,50%,100%"));
}

#[test]
fn mistakes_with_includes_name_the_file_they_are_in() {
    let dir = temp();
    let (a, b) = (dir.path().join("a.toml"), dir.path().join("b.toml"));
    let good = format!("include = [\"b.toml\"]\n{SOURCE}{SINK}");
    std::fs::write(&a, &good).unwrap();
    std::fs::write(&b, "\n[[op]]\ntype = \"blur\"\nsiez = 3\n").unwrap();
    says(&a, "", &["b.toml:4:1: [[op]] blur: unknown key `siez` (did you mean `size`?)"]);
    std::fs::write(&b, "# é\nthreads = \"many\"\n").unwrap();
    says(&a, "", &["b.toml:2:11: threads: ", "many"]);
    std::fs::write(&b, "include = [\"a.toml\"]\n").unwrap();
    says(&a, "", &["b.toml:1:12: include:", "a.toml → b.toml → a.toml"]);
    std::fs::remove_file(&b).unwrap();
    says(&a, "", &["a.toml:1:12: include: cannot read", "b.toml"]);
    std::fs::create_dir(&b).unwrap();
    says(&a, "", &["a.toml:1:12: include: cannot read", "b.toml"]);
    std::fs::write(&a, "include = 3\n").unwrap();
    says(&a, "", &["a.toml:1:11: include:", "list of files"]);
}

#[test]
fn variables_are_filled_in_with_their_types() {
    let dir = temp();
    let vars = "[vars]\nsize = 15\nwho = \"Gate\"\ntitle = \"{who} {time}\"\nwhere = [\"0,0,9,9\"]\non = true\n";
    let ops = "[[op]]\ntype = \"blur\"\nsize = \"{size}\"\nregion = \"{where}\"\nenabled = \"{on}\"\n\
         [[op]]\ntype = \"text\"\ntext = \"{title} {size} {{who}} $${frame} ${FW_TEST_NAME} ${FW_TEST_NONE:-d e} {frame}\"\nopacity = \"${FW_TEST_N}\"\n";
    let path = write(dir.path(), "v.toml", &format!("{vars}{SOURCE}{ops}{SINK}"));
    let run = |args: &[&str]| {
        let run = fw!["check", &path, "--print"].env("FW_TEST_NAME", "n").env("FW_TEST_N", "0.5");
        let run = args.iter().fold(run, |r, a| r.arg(a)).ok();
        run.stdout.parse::<toml::Table>().unwrap()
    };
    let t = run(&[]);
    assert_eq!(t["op"][0]["size"].as_integer(), Some(15));
    assert_eq!(t["op"][0]["region"][0].as_str(), Some("0,0,9,9"));
    assert_eq!(t["op"][1]["text"].as_str(), Some("Gate {time} 15 {{who}} $${frame} n d e {frame}"));
    assert_eq!(t["op"][1]["opacity"].as_float(), Some(0.5));
    let printed = toml::to_string(&t).unwrap();
    assert!(printed.contains("$${frame}"), "what is printed means itself when it is read: {printed}");
    effective(&write(dir.path(), "printed.toml", &printed), "");
    let t = run(&["--set", "vars.size=21", "--set", "vars.who=Yard"]);
    assert_eq!(t["op"][0]["size"].as_integer(), Some(21));
    assert_eq!(t["op"][1]["text"].as_str(), Some("Yard {time} 21 {{who}} $${frame} n d e {frame}"));
    // On the command line too; but what a file is called is its name.
    let out = fw!["run", "test:{who}", "-c", &path, "-o", "null", "--op", "text:text={who}"];
    out.env("FW_TEST_NAME", "n").env("FW_TEST_N", "1").fails(2).says(&["{who}"]);
}

#[test]
fn mistakes_with_variables_are_pointed_at() {
    let dir = temp();
    let path = dir.path().join("v.toml");
    let cases: &[(&str, &str, &[&str])] = &[
        ("time = 3\n", "", &["v.toml:2:1: [vars]", "`time`", "field of texts"]),
        ("1a = 3\n", "", &["v.toml:2:1: [vars]", "letter first"]),
        ("a = { b = 1 }\n", "", &["v.toml:2:5: [vars]", "`a` is a table"]),
        ("a = \"{b}\"\nb = \"{a}\"\n", "stats = \"{a}\"\n", &["[vars]: {a} needs itself: a → b → a"]),
        ("a = [1]\n", "stats = \"x{a}\"\n", &["{a} is a list"]),
        ("a = \"big\"\n", "[[op]]\ntype = \"blur\"\nsize = \"{a}\"\n", &["v.toml:2:5: [[op]] blur: size: ", "\"big\""]),
        ("a = 900\n", "[[op]]\ntype = \"blur\"\nsize = \"{a}\"\n", &["v.toml:5:1: [[op]] blur: size = 900"]),
        ("", "stats = \"${FW_TEST_NONE}\"\n", &["FW_TEST_NONE is not set", ":-default"]),
        ("", "stats = \"${a b}\"\n", &["`${a b}` names no environment variable"]),
        ("", "stats = \"${a\"\n", &["`${a`", "no `}`"]),
        ("", "[[op]]\ntype = \"text\"\ntext = \"{titel}\"\n", &["{titel}"]),
    ];
    for (vars, rest, wanted) in cases {
        let (stats, rest) = if rest.starts_with("stats") { (*rest, "") } else { ("", *rest) };
        std::fs::write(&path, format!("{stats}[vars]\n{vars}{rest}{SOURCE}{SINK}")).unwrap();
        says(&path, "", wanted);
    }
    std::fs::write(
        &path,
        format!("[vars]\ntitle = \"a\"\nmore = \"{{title}}\"\nstray = 1\n{SOURCE}seed = \"{{stray}}\"\n{SINK}"),
    )
    .unwrap();
    fw!["check", &path].ok();
    says(&path, "--set vars.stary=2", &["--set vars.stary=2: nothing uses {stary} (did you mean `stray`?)"]);
}

#[test]
fn regions_have_names() {
    let dir = temp();
    let regions = "[regions]\nleft = \"0,0,50%,100%\"\n[regions.door]\nrectangle = \"10,20,30%,40%\"\n\
         [regions.lawn]\npolygon = [[0, 0], [10, 0], [0, 10]]\n";
    let ops = "[[op]]\ntype = \"blur\"\nregion = \"door\"\n[[op]]\ntype = \"blur\"\nregion = [\"lawn\", \"1,2,3,4\", \"left\"]\n";
    let path = write(dir.path(), "r.toml", &format!("{regions}{SOURCE}{ops}{SINK}"));
    let t = effective(&path, "");
    let regions = |i: usize| -> Vec<&str> {
        t["op"][i]["region"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect()
    };
    assert_eq!(regions(0), ["10,20,30%,40%"]);
    assert_eq!(regions(1), ["0,0 10,0 0,10", "1,2,3,4", "0,0,50%,100%"]);
    let t = effective(&path, "--set regions.door=5,6,7,8 --set op.1.region=door");
    assert_eq!(t["op"][0]["region"][0].as_str(), Some("5,6,7,8"));
    assert_eq!(t["op"][1]["region"][0].as_str(), Some("5,6,7,8"));
    let set = fw!["check", &path, "--print", "--set", "regions.door.polygon=0,0 9,0 0,9"].ok().stdout;
    assert!(set.contains("0,0 9,0 0,9") && !set.contains("10,20,30%,40%"), "{set}");
    let run = fw!["run", "-c", &path, "--op", "blur:region=door", "--op", "text:text=x,region=[\"lawn\"]"].ok();
    assert_eq!(run.count("frames_out"), 3);
    fw!["run", "-c", &path, "--op", "blur:region=dor"].fails(2).says(&[
        "--op blur:region=dor",
        "no region `dor` (did you mean `door`?)",
        "door, lawn, left",
    ]);
}

#[test]
fn mistakes_with_regions_are_pointed_at() {
    let dir = temp();
    let path = dir.path().join("r.toml");
    let cases: &[(&str, &[&str])] = &[
        ("[regions]\na = \"1,2,3\"\n", &["r.toml:2:5: [regions.a]", "1,2,3"]),
        (
            "[regions.a]\nrectangel = \"1,2,3,4\"\n",
            &["r.toml:2:1: [regions.a]", "rectangel", "did you mean `rectangle`"],
        ),
        ("[regions.a]\n", &["r.toml:1:10: [regions.a]", "rectangle", "polygon"]),
        ("[regions.a]\nrectangle = \"1,2,3,4\"\npolygon = \"1,2 3,4 5,6\"\n", &["r.toml:1:10: [regions.a]", "either"]),
        ("[regions.a]\nrectangle = \"1,2 3,4 5,6\"\n", &["r.toml:2:13: [regions.a]", "1,2 3,4 5,6"]),
        ("[regions.a]\npolygon = \"1,2 3,4\"\n", &["r.toml:2:11: [regions.a]"]),
        ("[regions]\n\"a b\" = \"1,2,3,4\"\n", &["r.toml:2:1: [regions]", "a b"]),
        (
            "[[op]]\ntype = \"blur\"\nregion = \"door\"\n",
            &["r.toml:3:10: [[op]] blur: region", "`door`", "no [regions]"],
        ),
        (
            "[regions]\nyard = \"1,2,3,4\"\n[[op]]\ntype = \"blur\"\nregion = [\"yard\", \"yadr\"]\n",
            &["r.toml:5:19: [[op]] blur: region", "did you mean `yard`", "there are: yard"],
        ),
    ];
    for (text, wanted) in cases {
        std::fs::write(&path, format!("{text}{SOURCE}{SINK}")).unwrap();
        says(&path, "", wanted);
    }
}

#[test]
fn set_replaces_anything() {
    let dir = temp();
    let ops = "[[op]]\ntype = \"blur\"\n[[op]]\ntype = \"text\"\ntext = \"a\"\n[[op]]\ntype = \"text\"\ntext = \"b\"\n";
    let path = write(dir.path(), "s.toml", &format!("{SOURCE}{ops}[[sink]]\npath = \"a.mp4\"\n"));
    let words = "--set op.0.size=15 --set op.blur.sigma=2 --set op.2.text=2024 --set source.fps=12.5 --set sink.0.quality=20 \
         --set sink.0.encoder-options.b-adapt=false --set threads=2 --set stats=s.json";
    let t = effective(&path, words);
    assert_eq!((t["op"][0]["size"].as_integer(), t["op"][0]["sigma"].as_float()), (Some(15), Some(2.0)));
    assert_eq!((t["op"][1]["text"].as_str(), t["op"][2]["text"].as_str()), (Some("a"), Some("2024")));
    assert_eq!((t["source"]["fps"].as_str(), t["sink"][0]["quality"].as_integer()), (Some("25/2"), Some(20)));
    assert_eq!(t["sink"][0]["encoder-options"]["b-adapt"].as_str(), Some("false"));
    assert_eq!((t["threads"].as_integer(), t["stats"].as_str()), (Some(2), Some("s.json")));
    let run = fw!["run", "-c", &path, "-o", "b.mkv"]
        .words("--op blur:size=3 --set op.3.size=5 --set sink.0.encoder=ffv1 --set source.frames=2");
    let run = run.within(dir.path()).ok();
    assert_eq!((run.count("frames_out"), Media::open(dir.path().join("b.mkv")).tag("codec_name")), (2, "ffv1"));
    for (set, wanted) in [
        ("op.0.sise=3", &["--set op.0.sise=3: blur: unknown key `sise` (did you mean `size`?)"][..]),
        ("op.0.size=900", &["--set op.0.size=900: blur: size = 900", "1 to 255"]),
        ("op.0.size=big", &["--set op.0.size=big: blur: size: ", "big"]),
        ("op.7.size=3", &["there is no op 7", "0 blur, 1 text, 2 text"]),
        ("op.blurr.size=3", &["there is no op `blurr` (did you mean `blur`?)", "0 blur"]),
        ("op.text.size=3", &["which `text`?", "op.1"]),
        ("op.0=3", &["op.0 is a table"]),
        ("op=3", &["`op` is more than one value", "op.0.size"]),
        ("sorce.fps=3", &["there is no `sorce` (did you mean `source`?)", "regions"]),
        ("source.fsp=3", &["--set source.fsp=3: unknown key `fsp` (did you mean `fps`?)"]),
        ("source.uri.x=3", &["`uri` is a string"]),
        ("sink.1.path=x", &["there is no sink 1", "0 file"]),
        ("include=x", &["include is read before"]),
        ("threads", &["PATH=VALUE"]),
        ("a..b=1", &["PATH=VALUE"]),
        ("threads=0", &["--set threads=0: ", "1 to 256"]),
    ] {
        fw!["check", &path, "--set", set].fails(2).says(wanted);
        fw!["run", "-c", &path, "--set", set].within(dir.path()).fails(2).says(wanted);
    }
}

fn schema() -> jsonschema::Validator {
    let printed = fw!["schema"].ok().stdout;
    jsonschema::validator_for(&serde_json::from_str(&printed).expect("JSON")).expect("a schema")
}

/// What an editor makes of a file.
fn mistakes(schema: &jsonschema::Validator, text: &str) -> Vec<String> {
    let table: toml::Table = text.parse().expect("TOML");
    let value = serde_json::to_value(table).expect("JSON");
    schema.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

#[test]
fn the_schema_holds_for_every_configuration_and_example() {
    let schema = schema();
    for path in crate::configs::configs() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(mistakes(&schema, &text), [""; 0], "{}", path.display());
        let printed = fw!["check", &path, "--print"].ok().stdout;
        assert_eq!(mistakes(&schema, &printed), [""; 0], "{} in full", path.display());
    }
    for e in framewright::ops::ALL {
        let op = framewright::config::read_op(e.example).expect(e.example);
        let text = format!("[[op]]\ntype = \"{}\"\n{}", e.name, op.effective);
        assert_eq!(mistakes(&schema, &text), [""; 0], "{}", e.example);
    }
}

#[test]
fn the_schema_and_the_reader_take_and_refuse_the_same() {
    let schema = schema();
    let dir = temp();
    let path = dir.path().join("c.toml");
    let rest = format!("{SOURCE}{SINK}");
    for good in [
        "[vars]\nn = 9\n[regions.a]\nrectangle = [1, 2, 3, 4]\n[[op]]\ntype = \"blur\"\nsize = \"{n}\"\nregion = [\"a\", [1, 2, 3, 4]]\n",
        "[[op]]\ntype = \"blur\"\nsize = [[\"0s\", 1], [2, 9]]\nwhen = \"1s..2s\"\nenabled = \"${FW_TEST_NONE:-true}\"\n",
        "threads = 2\n[regions]\na = \"1,2,3,4\"\nb = [[1, 2], [3, 4], [5, 6]]\n[[op]]\ntype = \"text\"\ntext = \"x\"\nmargin = \"1%\"\nsize = 9\n",
    ] {
        std::fs::write(&path, format!("{good}{rest}")).unwrap();
        assert_eq!(mistakes(&schema, &format!("{good}{rest}")), [""; 0], "{good}");
        fw!["check", &path].ok();
    }
    for bad in [
        "[[op]]\ntype = \"blur\"\nsiez = 3\n",
        "[[op]]\ntype = \"blur\"\nsize = 900\n",
        "[[op]]\ntype = \"blur\"\nmethod = \"gausian\"\n",
        "[[op]]\ntype = \"blurr\"\n",
        "[[op]]\nsize = 3\n",
        "[[op]]\ntype = \"text\"\ntext = 3\n",
        "[vars]\ntime = 3\n",
        "[regions.a]\nrectangel = \"1,2,3,4\"\n",
        "threads = 0\n",
        "thread = 1\n",
        "include = \"base.toml\"\n",
    ] {
        std::fs::write(&path, format!("{bad}{rest}")).unwrap();
        assert!(!mistakes(&schema, &format!("{bad}{rest}")).is_empty(), "the schema takes {bad}");
        fw!["check", &path].fails(2);
    }
}

#[test]
fn what_the_documentation_shows_is_right() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    let schema = schema();
    let dir = temp();
    let mut shown = 0;
    for block in page.split("```toml\n").skip(1) {
        let text = block.split("```").next().unwrap();
        let name = text.lines().next().and_then(|l| l.strip_prefix("# ")).unwrap_or("block.toml");
        let table: toml::Table = text.parse().expect(text);
        let whole = table.contains_key("include");
        let source = if table.contains_key("source") || whole { "" } else { SOURCE };
        let sink = if table.contains_key("sink") || whole { "" } else { SINK };
        assert_eq!(mistakes(&schema, text), [""; 0], "{text}");
        let path = write(dir.path(), name, &format!("{text}{source}{sink}"));
        let words = if name == "base.toml" { "--set source.uri=test:smpte" } else { "" };
        fw!["check", &path].words(words).ok();
        shown += 1;
    }
    assert!(shown >= 7, "{shown} examples");
}
