//! Every GStreamer element that framewright can use, what for, and the package that brings it.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde::Serialize;

/// How much it matters that an element is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing works without it.
    Need,
    /// A common format, codec or source is lost.
    Want,
    /// Special hardware, or one of several ways.
    Extra,
}
use Level::{Extra, Need, Want};

/// Package families of the three lines of distributions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pack {
    Core,
    Base,
    Good,
    Bad,
    X265,
    OpenH264,
    Ugly,
    Asf,
    Libav,
    X11,
    Gl,
    Gtk,
    PipeWire,
    LibCamera,
    Vaapi,
    Dav1d,
    Font,
}

/// Whose package names are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distro {
    Debian,
    Fedora,
    Arch,
}

impl Pack {
    /// The package's name; none where the distribution has none.
    pub fn name(self, distro: Distro) -> Option<&'static str> {
        let (debian, fedora, arch) = match self {
            Pack::Core => ("libgstreamer1.0-0", "gstreamer1", "gstreamer"),
            Pack::Base => ("gstreamer1.0-plugins-base", "gstreamer1-plugins-base", "gst-plugins-base"),
            Pack::Good => ("gstreamer1.0-plugins-good", "gstreamer1-plugins-good", "gst-plugins-good"),
            Pack::Bad => ("gstreamer1.0-plugins-bad", "gstreamer1-plugins-bad-free", "gst-plugins-bad"),
            Pack::X265 => ("gstreamer1.0-plugins-bad", "gstreamer1-plugins-bad-freeworld", "gst-plugins-bad"),
            Pack::OpenH264 => ("gstreamer1.0-plugins-bad", "gstreamer1-plugin-openh264", "gst-plugins-bad"),
            Pack::Ugly => ("gstreamer1.0-plugins-ugly", "gstreamer1-plugins-ugly", "gst-plugins-ugly"),
            Pack::Asf => ("gstreamer1.0-plugins-ugly", "gstreamer1-plugins-ugly-free", "gst-plugins-ugly"),
            Pack::Libav => ("gstreamer1.0-libav", "gstreamer1-plugin-libav", "gst-libav"),
            Pack::X11 => ("gstreamer1.0-x", "gstreamer1-plugins-base", "gst-plugins-base"),
            Pack::Gl => ("gstreamer1.0-gl", "gstreamer1-plugins-base", "gst-plugins-base"),
            Pack::Gtk => ("gstreamer1.0-gtk3", "gstreamer1-plugins-good-gtk", "gst-plugin-gtk"),
            Pack::PipeWire => ("gstreamer1.0-pipewire", "pipewire-gstreamer", "gst-plugin-pipewire"),
            Pack::LibCamera => ("gstreamer1.0-libcamera", "libcamera-gstreamer", "gst-plugin-libcamera"),
            Pack::Vaapi => ("gstreamer1.0-vaapi", "gstreamer1-vaapi", "gstreamer-vaapi"),
            Pack::Dav1d => ("", "gstreamer1-plugin-dav1d", "gst-plugins-rs"),
            Pack::Font => ("fonts-dejavu-core", "dejavu-sans-fonts", "ttf-dejavu"),
        };
        let name = match distro {
            Distro::Debian => debian,
            Distro::Fedora => fedora,
            Distro::Arch => arch,
        };
        (!name.is_empty()).then_some(name)
    }
}

impl Distro {
    /// The running system's, from `/etc/os-release`; Debian's names where that says nothing we know.
    pub fn here() -> Distro {
        static HERE: OnceLock<Distro> = OnceLock::new();
        *HERE.get_or_init(|| {
            let text = ["/etc/os-release", "/usr/lib/os-release"].iter().find_map(|p| std::fs::read_to_string(p).ok());
            Distro::from_os_release(&text.unwrap_or_default())
        })
    }

    /// By `ID` first, then by the words of `ID_LIKE` in order.
    fn from_os_release(text: &str) -> Distro {
        let words = ["ID", "ID_LIKE"].into_iter().flat_map(|key| os_release(text, key).split_whitespace());
        let known = |word: &str| match word {
            "debian" | "ubuntu" => Some(Distro::Debian),
            "fedora" | "rhel" | "centos" => Some(Distro::Fedora),
            "arch" | "archlinux" => Some(Distro::Arch),
            _ => None,
        };
        words.into_iter().find_map(known).unwrap_or(Distro::Debian)
    }

    pub fn install(self, packages: &[&str]) -> String {
        let command = match self {
            Distro::Debian => "apt-get install",
            Distro::Fedora => "dnf install",
            Distro::Arch => "pacman -S",
        };
        format!("{command} {}", packages.join(" "))
    }
}

/// The value of `key` in the text of an os-release file.
pub fn os_release<'a>(text: &'a str, key: &str) -> &'a str {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    value.unwrap_or_default().trim().trim_matches(['"', '\''])
}

/// A group's name and its elements: name, how much it matters, package, what it is for.
pub type Group = (&'static str, &'static [(&'static str, Level, Pack, &'static str)]);

/// Every element that framewright can use.
pub static GROUPS: &[Group] = &[
    (
        "core",
        &[
            ("appsink", Need, Pack::Base, "frames out of GStreamer"),
            ("appsrc", Need, Pack::Base, "frames back into GStreamer"),
            ("uridecodebin", Need, Pack::Base, "opening files and URLs"),
            ("decodebin", Need, Pack::Base, "choosing decoders"),
            ("parsebin", Need, Pack::Base, "carrying audio through unchanged"),
            ("videoconvert", Need, Pack::Base, "pixel format conversion, where an op or encoder needs it"),
            ("videoscale", Need, Pack::Base, "scaling in sources and sinks"),
            ("videoflip", Need, Pack::Good, "applying rotation metadata"),
            ("deinterlace", Need, Pack::Good, "deinterlacing"),
            ("queue", Need, Pack::Core, "buffering between threads"),
            ("filesrc", Need, Pack::Core, "reading files"),
            ("filesink", Need, Pack::Core, "writing files"),
            ("multifilesink", Need, Pack::Good, "numbered pictures"),
            ("capsfilter", Need, Pack::Core, "fixing formats"),
            ("audioconvert", Need, Pack::Base, "re-encoding audio"),
            ("audioresample", Need, Pack::Base, "re-encoding audio"),
        ],
    ),
    (
        "video encoders",
        &[
            ("x264enc", Want, Pack::Ugly, "H.264"),
            ("x265enc", Want, Pack::X265, "H.265"),
            ("openh264enc", Extra, Pack::OpenH264, "H.264, where x264 is not"),
            ("vp8enc", Want, Pack::Good, "VP8"),
            ("vp9enc", Want, Pack::Good, "VP9"),
            ("av1enc", Want, Pack::Bad, "AV1"),
            ("svtav1enc", Extra, Pack::Bad, "AV1, faster (GStreamer 1.24 and later)"),
            ("avenc_ffv1", Want, Pack::Libav, "FFV1, lossless"),
            ("jpegenc", Want, Pack::Good, "JPEG and MJPEG"),
            ("pngenc", Want, Pack::Good, "PNG"),
            ("avenc_mpeg4", Want, Pack::Libav, "MPEG-4 Part 2"),
            ("avenc_prores_ks", Want, Pack::Libav, "ProRes"),
        ],
    ),
    (
        "hardware encoders",
        &[
            ("vah264enc", Extra, Pack::Bad, "H.264 on Intel and AMD (VA-API)"),
            ("vah265enc", Extra, Pack::Bad, "H.265 on Intel and AMD (VA-API)"),
            ("vaav1enc", Extra, Pack::Bad, "AV1 on Intel and AMD (VA-API)"),
            ("vaapih264enc", Extra, Pack::Vaapi, "H.264 on Intel and AMD (VA-API, GStreamer before 1.26)"),
            ("nvh264enc", Extra, Pack::Bad, "H.264 on NVIDIA"),
            ("nvh265enc", Extra, Pack::Bad, "H.265 on NVIDIA"),
            ("qsvh264enc", Extra, Pack::Bad, "H.264 on Intel Quick Sync"),
            ("v4l2h264enc", Extra, Pack::Good, "H.264 on Raspberry Pi and other boards"),
            ("amfh264enc", Extra, Pack::Bad, "H.264 on AMD (Windows)"),
        ],
    ),
    (
        "audio encoders",
        &[
            ("avenc_aac", Want, Pack::Libav, "AAC"),
            ("voaacenc", Extra, Pack::Bad, "AAC, where libav is not"),
            ("fdkaacenc", Extra, Pack::Bad, "AAC, where libav is not"),
            ("opusenc", Want, Pack::Base, "Opus"),
        ],
    ),
    (
        "muxers",
        &[
            ("mp4mux", Want, Pack::Good, "MP4"),
            ("qtmux", Want, Pack::Good, "MOV"),
            ("matroskamux", Want, Pack::Good, "MKV"),
            ("webmmux", Want, Pack::Good, "WebM"),
            ("avimux", Want, Pack::Good, "AVI"),
            ("mpegtsmux", Want, Pack::Bad, "MPEG-TS"),
        ],
    ),
    (
        "parsers",
        &[
            ("h264parse", Want, Pack::Bad, "H.264"),
            ("h265parse", Want, Pack::Bad, "H.265"),
            ("av1parse", Want, Pack::Bad, "AV1"),
            ("vp9parse", Want, Pack::Bad, "VP9"),
            ("mpegvideoparse", Want, Pack::Bad, "MPEG-1 and MPEG-2"),
            ("mpeg4videoparse", Want, Pack::Bad, "MPEG-4 Part 2"),
            ("aacparse", Want, Pack::Good, "AAC"),
            ("mpegaudioparse", Want, Pack::Good, "MP3"),
            ("ac3parse", Want, Pack::Good, "AC-3"),
            ("flacparse", Want, Pack::Good, "FLAC"),
            ("opusparse", Want, Pack::Bad, "Opus"),
        ],
    ),
    (
        "demuxers",
        &[
            ("qtdemux", Want, Pack::Good, "MP4, MOV, 3GP, M4A"),
            ("matroskademux", Want, Pack::Good, "MKV, WebM"),
            ("avidemux", Want, Pack::Good, "AVI"),
            ("tsdemux", Want, Pack::Bad, "MPEG-TS"),
            ("mpegpsdemux", Want, Pack::Bad, "MPEG-PS (.mpg, .vob)"),
            ("flvdemux", Want, Pack::Good, "FLV"),
            ("oggdemux", Want, Pack::Base, "Ogg"),
            ("asfdemux", Want, Pack::Asf, "WMV, ASF"),
            ("wavparse", Want, Pack::Good, "WAV"),
            ("hlsdemux", Want, Pack::Bad, "HLS"),
            ("dashdemux", Extra, Pack::Bad, "DASH"),
        ],
    ),
    (
        "decoders",
        &[
            ("avdec_h264", Want, Pack::Libav, "H.264"),
            ("avdec_h265", Want, Pack::Libav, "H.265"),
            ("openh264dec", Extra, Pack::OpenH264, "H.264, where libav is not"),
            ("libde265dec", Extra, Pack::Bad, "H.265, where libav is not"),
            ("vp8dec", Want, Pack::Good, "VP8"),
            ("vp9dec", Want, Pack::Good, "VP9"),
            ("av1dec", Want, Pack::Bad, "AV1"),
            ("dav1ddec", Extra, Pack::Dav1d, "AV1, faster"),
            ("avdec_mpeg4", Want, Pack::Libav, "MPEG-4 Part 2 (DivX, Xvid)"),
            ("avdec_mpeg2video", Want, Pack::Libav, "MPEG-2"),
            ("avdec_msmpeg4", Want, Pack::Libav, "MS-MPEG-4 (DivX 3)"),
            ("avdec_wmv3", Want, Pack::Libav, "WMV 9"),
            ("avdec_prores", Want, Pack::Libav, "ProRes"),
            ("avdec_ffv1", Want, Pack::Libav, "FFV1"),
            ("theoradec", Want, Pack::Base, "Theora"),
            ("jpegdec", Want, Pack::Good, "JPEG and MJPEG"),
            ("pngdec", Want, Pack::Good, "PNG"),
            ("gdkpixbufdec", Want, Pack::Good, "GIF and other pictures"),
            ("avdec_aac", Want, Pack::Libav, "AAC"),
            ("mpg123audiodec", Want, Pack::Good, "MP3"),
            ("opusdec", Want, Pack::Base, "Opus"),
            ("vorbisdec", Want, Pack::Base, "Vorbis"),
            ("flacdec", Want, Pack::Good, "FLAC"),
            ("vah264dec", Extra, Pack::Bad, "H.264 on Intel and AMD (VA-API)"),
            ("nvh264dec", Extra, Pack::Bad, "H.264 on NVIDIA"),
            ("v4l2h264dec", Extra, Pack::Good, "H.264 on Raspberry Pi and other boards"),
        ],
    ),
    (
        "sources",
        &[
            ("v4l2src", Want, Pack::Good, "USB and built-in cameras"),
            ("pipewiresrc", Extra, Pack::PipeWire, "cameras shared by the desktop, screen capture"),
            ("libcamerasrc", Extra, Pack::LibCamera, "Raspberry Pi and MIPI cameras"),
            ("rtspsrc", Want, Pack::Good, "RTSP cameras"),
            ("rtph264depay", Want, Pack::Good, "RTSP cameras: H.264"),
            ("udpsrc", Want, Pack::Good, "RTSP cameras and UDP streams"),
            ("souphttpsrc", Want, Pack::Good, "http and https URLs"),
            ("curlhttpsrc", Extra, Pack::Bad, "http and https URLs, where soup is not"),
            ("srtsrc", Extra, Pack::Bad, "SRT streams"),
            ("multifilesrc", Want, Pack::Good, "numbered pictures"),
            ("videotestsrc", Want, Pack::Base, "test pictures"),
            ("audiotestsrc", Want, Pack::Base, "test tones"),
        ],
    ),
    (
        "display",
        &[
            ("autovideosink", Want, Pack::Good, "choosing a window"),
            ("ximagesink", Extra, Pack::X11, "window on X11"),
            ("xvimagesink", Extra, Pack::X11, "window on X11, scaled by the graphics card"),
            ("waylandsink", Extra, Pack::Bad, "window on Wayland"),
            ("glimagesink", Extra, Pack::Gl, "window through OpenGL"),
            ("gtksink", Extra, Pack::Gtk, "window through GTK"),
            ("fpsdisplaysink", Extra, Pack::Bad, "frame rate in the window"),
        ],
    ),
];

/// The package that brings the GStreamer element `element`, under its name on this system (Debian's where the system is
/// unknown). None for elements framewright does not use, and for those this system does not package.
pub fn package_for(element: &str) -> Option<&'static str> {
    let pack = GROUPS.iter().flat_map(|(_, rows)| *rows).find(|row| row.0 == element)?.2;
    pack.name(Distro::here())
}

/// The package that decodes streams of the caps name `media` (`video/x-h265`). For video and audio that the table does not
/// know it is libav's, which knows nearly everything.
pub fn package_for_decoder(media: &str) -> Option<&'static str> {
    let element = match media {
        "video/x-vp8" => "vp8dec",
        "video/x-vp9" => "vp9dec",
        "video/x-av1" => "av1dec",
        "video/x-theora" => "theoradec",
        "image/jpeg" => "jpegdec",
        "image/png" => "pngdec",
        "image/gif" | "image/bmp" | "image/tiff" | "image/svg+xml" => "gdkpixbufdec",
        "audio/x-opus" => "opusdec",
        "audio/x-vorbis" => "vorbisdec",
        "audio/x-flac" => "flacdec",
        "video/quicktime" | "audio/x-m4a" => "qtdemux",
        "video/x-matroska" | "video/webm" | "audio/webm" => "matroskademux",
        "video/x-msvideo" => "avidemux",
        "video/mpegts" => "tsdemux",
        "video/x-flv" => "flvdemux",
        "video/x-ms-asf" => "asfdemux",
        "application/ogg" | "video/ogg" | "audio/ogg" => "oggdemux",
        "audio/x-wav" => "wavparse",
        "application/x-hls" => "hlsdemux",
        "application/dash+xml" => "dashdemux",
        _ if media.ends_with("-unknown") => return None,
        _ if ["video/", "audio/", "image/"].iter().any(|kind| media.starts_with(kind)) => "avdec_h264",
        _ => return None,
    };
    package_for(element)
}

/// The line that goes after `fix:` where these packages are missing.
pub fn install_hint(packages: &[&str]) -> String {
    let packages: BTreeSet<&str> = packages.iter().copied().collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    format!("{}   (framewright doctor lists what is missing)", Distro::here().install(&packages))
}

#[cfg(test)]
mod tests {
    use gstreamer as gst;
    use gstreamer::prelude::*;

    use super::*;

    fn rows() -> impl Iterator<Item = &'static (&'static str, Level, Pack, &'static str)> {
        GROUPS.iter().flat_map(|(_, rows)| *rows)
    }

    #[test]
    fn every_element_is_listed_once_with_a_package_and_a_use() {
        let mut seen = BTreeSet::new();
        for (element, level, pack, what) in rows() {
            assert!(seen.insert(element), "{element} is listed twice");
            assert!(!what.is_empty(), "{element}: what for?");
            for distro in [Distro::Debian, Distro::Fedora, Distro::Arch] {
                assert!(pack.name(distro).is_some() || *level == Extra, "{element}: no package on {distro:?}");
            }
            assert_eq!(package_for(element), pack.name(Distro::here()), "{element}");
        }
        assert_eq!(package_for("nosuchelement"), None);
    }

    /// The plugin that has the element here must come from the module that the table says.
    #[test]
    fn packages_agree_with_the_modules_of_the_installed_plugins() {
        gst::init().unwrap();
        let mut checked = 0;
        for (element, _, pack, _) in rows() {
            let Some(plugin) = gst::ElementFactory::find(element).and_then(|f| f.plugin()) else { continue };
            let expected: &[&str] = match pack {
                Pack::Core => &["gstreamer"],
                Pack::Base | Pack::X11 | Pack::Gl => &["gst-plugins-base"],
                Pack::Good | Pack::Gtk => &["gst-plugins-good"],
                Pack::Bad | Pack::X265 | Pack::OpenH264 => &["gst-plugins-bad"],
                Pack::Ugly | Pack::Asf => &["gst-plugins-ugly"],
                Pack::Libav => &["gst-libav"],
                Pack::Vaapi => &["gstreamer-vaapi"],
                Pack::PipeWire | Pack::LibCamera | Pack::Dav1d | Pack::Font => continue,
            };
            assert!(expected.contains(&plugin.source().as_str()), "{element} is from {}", plugin.source());
            checked += 1;
        }
        assert!(checked > 20, "only {checked} elements are here");
    }

    #[test]
    fn the_system_is_told_by_id_then_by_likeness() {
        for (text, distro) in [
            ("ID=debian\n", Distro::Debian),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Distro::Debian),
            ("PRETTY_NAME='x'\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"", Distro::Fedora),
            ("ID=manjaro\nID_LIKE=arch", Distro::Arch),
            ("ID=alpine", Distro::Debian),
            ("", Distro::Debian),
        ] {
            assert_eq!(Distro::from_os_release(text), distro, "{text}");
        }
    }
}
