//! Writes text onto the picture.
