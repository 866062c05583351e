#!/usr/bin/env python3
"""An RTSP server on a free port of the loopback interface, for tests/live.rs. Prints the port and serves until it is killed.

/video   H.264, 320x240, 25 fps, as a camera would
/av      the same with AAC
/late    the audio begins 2 s after the video
/silent  audio is announced, and not one packet of it is sent
/stops   the audio stops after 2 s, the video goes on
/file    the MP4 given with --file, once: H.264 and, where --audio says so, AAC
"""

import argparse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

VIDEO = (
    "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! rtph264pay name=pay0 pt=96 config-interval=-1"
)
AUDIO = (
    "audiotestsrc is-live=true volume=0.2 ! audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse "
    "! rtpmp4gpay name=pay1 pt=97"
)


def factory(launch, sends=None):
    """`sends` decides by the seconds since the start whether an audio packet goes out."""
    made = GstRtspServer.RTSPMediaFactory()
    made.set_launch(f"( {launch} )")

    def prepared(media):
        # The server waits for a packet of each stream with a blocking probe: this one comes after it.
        began = GLib.get_monotonic_time()

        def judge(_pad, _info):
            seconds = (GLib.get_monotonic_time() - began) / 1e6
            return Gst.PadProbeReturn.OK if sends(seconds) else Gst.PadProbeReturn.DROP

        pipeline = media.get_element().get_parent()
        rtpbin = next(e for e in pipeline.children if e.get_factory().get_name() == "rtpbin")
        rtpbin.get_static_pad("send_rtp_src_1").add_probe(
            Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST, judge
        )

    if sends:
        made.connect("media-configure", lambda _f, media: media.connect("prepared", prepared))
    return made


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--user")
    options.add_argument("--password")
    options.add_argument("--digest", action="store_true")
    options.add_argument("--file")
    options.add_argument("--audio", action="store_true", help="the file has AAC audio")
    options = options.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    both = f"{VIDEO} {AUDIO}"
    factories = {
        "/video": factory(VIDEO),
        "/av": factory(both),
        "/late": factory(both, lambda seconds: seconds > 2),
        "/silent": factory(both, lambda _: False),
        "/stops": factory(both, lambda seconds: seconds < 2),
    }
    if options.file:
        launch = (
            f'filesrc location="{options.file}" ! qtdemux name=demux '
            "demux.video_0 ! queue ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1"
        )
        if options.audio:
            launch += " demux.audio_0 ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97"
        factories["/file"] = factory(launch)
    if options.user:
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        if options.digest:
            auth.set_supported_methods(2)
            auth.add_digest(options.user, options.password, token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(options.user, options.password), token)
        server.set_auth(auth)
        for made in factories.values():
            role = Gst.Structure.new_empty("user")
            role.set_value("media.factory.access", True)
            role.set_value("media.factory.construct", True)
            made.add_role_from_structure(role)
    for path, made in factories.items():
        server.get_mount_points().add_factory(path, made)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main()
