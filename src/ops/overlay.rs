//! Pictures with opacity (rendered text, later logos) blended onto a frame in its native format.
