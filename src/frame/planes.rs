//! The mapped pixels of a buffer as OpenCV `Mat` headers: no copy, true strides, borrowed by lifetime.
//!
//! All of the crate's `unsafe` is in this file. A `Mat` made here points into memory that GStreamer mapped; the map lives in
//! [`Planes`] / [`PlanesMut`], the `Mat` is handed out as a `BoxedRef` tied to it.

#![allow(unsafe_code)]

use std::ffi::c_void;

use gstreamer::BufferRef;
use gstreamer_video::{VideoFrameExt, VideoFrameRef, VideoInfo};
use opencv::core::{self, Mat};
use opencv::imgproc;
use opencv::prelude::*;
use opencv::{boxed_ref::BoxedRef, boxed_ref::BoxedRefMut};

use super::{FrameError, Layout};

/// A readable map of a frame's planes.
pub struct Planes<'a> {
    frame: VideoFrameRef<&'a BufferRef>,
    layout: &'a Layout,
}

/// The bytes of one plane: `rows` rows of `row_bytes`, the first ones `stride` apart. `data` ends with the last row's.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct PlaneBytes<'a> {
    pub data: &'a [u8],
    pub stride: usize,
    pub rows: usize,
    pub row_bytes: usize,
}

/// [`PlaneBytes`] for writing. What lies between the rows belongs to nobody and stays as it is.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct PlaneBytesMut<'a> {
    pub data: &'a mut [u8],
    pub stride: usize,
    pub rows: usize,
    pub row_bytes: usize,
}

/// A writable map of a frame's planes.
pub struct PlanesMut<'a> {
    frame: VideoFrameRef<&'a mut BufferRef>,
    layout: &'a Layout,
}

impl<'a> Planes<'a> {
    /// Maps `buffer` for reading.
    pub fn map(buffer: &'a BufferRef, info: &'a VideoInfo, layout: &'a Layout) -> Result<Self, FrameError> {
        let frame =
            VideoFrameRef::from_buffer_ref_readable(buffer, info).map_err(|_| FrameError::map("reading", info))?;
        Ok(Planes { frame, layout })
    }

    /// How many planes there are.
    pub fn len(&self) -> usize {
        self.layout.planes.len()
    }

    /// Never true: a picture has a plane.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Plane `i` as a `Mat` header of `rows × cols` over the mapped bytes.
    pub fn mat(&self, i: usize) -> Result<BoxedRef<'_, Mat>, FrameError> {
        let data = self.frame.plane_data(i as u32).map_err(|_| FrameError::NoPlane(i))?;
        let geometry = Geometry::of(self.layout, i, &self.frame, data.len())?;
        // SAFETY: `geometry` was checked against the mapped length; the header cannot outlive `self` (the map) because
        // BoxedRef carries its lifetime, and it hands out `&Mat` only, so OpenCV has no way to write through it.
        let mat = unsafe { geometry.header(data.as_ptr().cast_mut().cast())? };
        Ok(BoxedRef::from(mat))
    }

    /// All of plane `i` as bytes.
    pub fn bytes(&self, i: usize) -> Result<PlaneBytes<'_>, FrameError> {
        let data = self.frame.plane_data(i as u32).map_err(|_| FrameError::NoPlane(i))?;
        let g = Geometry::of(self.layout, i, &self.frame, data.len())?;
        Ok(PlaneBytes { data: &data[..g.len()], stride: g.step, rows: g.rows as usize, row_bytes: g.row_bytes })
    }

    /// The bytes of row `y` of plane `i`, without padding.
    pub fn row(&self, i: usize, y: u32) -> Result<&[u8], FrameError> {
        let data = self.frame.plane_data(i as u32).map_err(|_| FrameError::NoPlane(i))?;
        let g = Geometry::of(self.layout, i, &self.frame, data.len())?;
        let start = y as usize * g.step;
        data.get(start..start + g.row_bytes).ok_or(FrameError::NoPlane(i))
    }
}

impl<'a> PlanesMut<'a> {
    /// Maps `buffer` for writing; fails when somebody else holds its memory.
    pub fn map(buffer: &'a mut BufferRef, info: &'a VideoInfo, layout: &'a Layout) -> Result<Self, FrameError> {
        let frame =
            VideoFrameRef::from_buffer_ref_writable(buffer, info).map_err(|_| FrameError::map("writing", info))?;
        Ok(PlanesMut { frame, layout })
    }

    /// How many planes there are.
    pub fn len(&self) -> usize {
        self.layout.planes.len()
    }

    /// Never true: a picture has a plane.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `f` with plane `i` as a writable `Mat` and proves afterwards that OpenCV wrote in place: a destination it
    /// reallocated (wrong size or type) is [`FrameError::Reallocated`], never a silently lost result.
    pub fn edit<R, E: From<FrameError>>(
        &mut self,
        i: usize,
        f: impl FnOnce(&mut BoxedRefMut<'_, Mat>) -> Result<R, E>,
    ) -> Result<R, E> {
        let layout = self.layout;
        let (stride, width, height) = (self.frame.plane_stride()[i] as usize, self.frame.width(), self.frame.height());
        let data = self.frame.plane_data_mut(i as u32).map_err(|_| FrameError::NoPlane(i))?;
        let geometry = Geometry::new(layout, i, stride, width, height, data.len())?;
        let start = data.as_mut_ptr();
        // SAFETY: `geometry` was checked against the mapped length; the exclusive borrow of `self` lasts as long as the
        // header, which is dropped (or found to have been replaced) before this function returns.
        let mat = unsafe { geometry.header(start.cast())? };
        let mut mat = BoxedRefMut::from(mat);
        let out = f(&mut mat)?;
        if mat.data().cast_mut() != start || mat.rows() != geometry.rows || mat.cols() != geometry.cols {
            return Err(FrameError::Reallocated(i).into());
        }
        Ok(out)
    }

    /// All of plane `i` as bytes, for writing.
    pub fn bytes_mut(&mut self, i: usize) -> Result<PlaneBytesMut<'_>, FrameError> {
        let layout = self.layout;
        let (stride, width, height) = (self.frame.plane_stride()[i] as usize, self.frame.width(), self.frame.height());
        let data = self.frame.plane_data_mut(i as u32).map_err(|_| FrameError::NoPlane(i))?;
        let g = Geometry::new(layout, i, stride, width, height, data.len())?;
        let data = &mut data[..g.len()];
        Ok(PlaneBytesMut { data, stride: g.step, rows: g.rows as usize, row_bytes: g.row_bytes })
    }

    /// The bytes of row `y` of plane `i`, without padding, for writing.
    pub fn row_mut(&mut self, i: usize, y: u32) -> Result<&mut [u8], FrameError> {
        let layout = self.layout;
        let (stride, width, height) = (self.frame.plane_stride()[i] as usize, self.frame.width(), self.frame.height());
        let data = self.frame.plane_data_mut(i as u32).map_err(|_| FrameError::NoPlane(i))?;
        let g = Geometry::new(layout, i, stride, width, height, data.len())?;
        let start = y as usize * g.step;
        data.get_mut(start..start + g.row_bytes).ok_or(FrameError::NoPlane(i))
    }

    /// Copies every plane of `src`, which has the same format and size.
    pub fn copy_from(&mut self, src: &Planes<'_>) -> Result<(), FrameError> {
        for i in 0..self.len() {
            let from = src.mat(i)?;
            self.edit(i, |to| from.copy_to(to).map_err(FrameError::from))?;
        }
        Ok(())
    }
}

/// The picture in 8-bit gray: the Y plane itself where that is 8-bit, else made in `scratch`.
pub(super) fn gray<'a>(
    planes: &'a Planes<'_>,
    layout: &Layout,
    scratch: &'a mut Mat,
) -> Result<BoxedRef<'a, Mat>, FrameError> {
    use super::Component::{B, G, R, Y};
    let eighth = 1.0 / f64::from(1u32 << (layout.depth + layout.shift - 8));
    if let Some((plane, channel)) = layout.find(Y) {
        let whole = planes.mat(plane)?;
        if layout.planes[plane].channels.len() == 1 && layout.bytes == 1 {
            return Ok(whole);
        }
        if layout.bytes == 1 {
            core::extract_channel(&whole, scratch, channel as i32)?;
        } else {
            let mut deep = Mat::default();
            core::extract_channel(&whole, &mut deep, channel as i32)?;
            deep.convert_to(scratch, core::CV_8U, eighth, 0.0)?;
        }
    } else if let Some(code) = to_gray(layout) {
        imgproc::cvt_color_def(&planes.mat(0)?, scratch, code)?;
    } else {
        // BT.601 weights, as OpenCV's own conversion to gray has them.
        let mut sum = Mat::default();
        for (component, weight) in [(R, 0.299), (G, 0.587), (B, 0.114)] {
            let (plane, channel) = layout.find(component).ok_or(FrameError::NoPlane(0))?;
            let mut one = Mat::default();
            core::extract_channel(&planes.mat(plane)?, &mut one, channel as i32)?;
            match sum.empty() {
                true => one.convert_to(&mut sum, core::CV_32F, weight * eighth, 0.0)?,
                false => {
                    let before = std::mem::take(&mut sum);
                    core::add_weighted(&one, weight * eighth, &before, 1.0, 0.0, &mut sum, core::CV_32F)?;
                }
            }
        }
        sum.convert_to_def(scratch, core::CV_8U)?;
    }
    let (w, h) = (scratch.cols(), scratch.rows());
    Ok(Mat::roi(scratch, core::Rect::new(0, 0, w, h))?)
}

/// OpenCV's code for a conversion to gray, where it has one.
fn to_gray(layout: &Layout) -> Option<i32> {
    use super::Component::{B, G, R};
    match (layout.bytes, layout.planes.as_slice()) {
        (1, [only]) => match only.channels.as_slice() {
            [B, G, R] => Some(imgproc::COLOR_BGR2GRAY),
            [R, G, B] => Some(imgproc::COLOR_RGB2GRAY),
            [B, G, R, _] => Some(imgproc::COLOR_BGRA2GRAY),
            [R, G, B, _] => Some(imgproc::COLOR_RGBA2GRAY),
            _ => None,
        },
        _ => None,
    }
}

/// Gives `scratch` this size and type; free when it has them already, so that scratch space costs nothing once warm.
/// The pixels are undefined afterwards: it is for matrices that the next call overwrites.
pub fn shape_scratch(scratch: &mut Mat, size: opencv::core::Size, kind: i32) -> opencv::Result<()> {
    // SAFETY: `create` is unsafe only because it leaves the elements uninitialised; they are plain integers.
    unsafe { scratch.create_size(size, kind) }
}

/// Shape of one plane in memory, already checked against the bytes that are there.
struct Geometry {
    rows: i32,
    cols: i32,
    kind: i32,
    step: usize,
    row_bytes: usize,
}

impl Geometry {
    fn of(layout: &Layout, i: usize, frame: &VideoFrameRef<&BufferRef>, len: usize) -> Result<Self, FrameError> {
        Self::new(layout, i, frame.plane_stride()[i] as usize, frame.width(), frame.height(), len)
    }

    fn new(layout: &Layout, i: usize, step: usize, width: u32, height: u32, len: usize) -> Result<Self, FrameError> {
        let plane = layout.planes.get(i).ok_or(FrameError::NoPlane(i))?;
        let (rows, cols) = (plane.rows(height), plane.cols(width));
        let row_bytes = cols as usize * plane.channels.len() * layout.bytes as usize;
        if rows == 0 || row_bytes > step || (rows as usize - 1) * step + row_bytes > len {
            return Err(FrameError::Short { plane: i, rows, row_bytes, step, len });
        }
        Ok(Geometry { rows: rows as i32, cols: cols as i32, kind: layout.mat_type(i), step, row_bytes })
    }

    /// Bytes from the plane's first to its last, padding between rows included.
    fn len(&self) -> usize {
        (self.rows as usize - 1) * self.step + self.row_bytes
    }

    /// # Safety
    /// `data` must point to the plane's first byte and stay valid, and unaliased if the header is written through, for as
    /// long as the returned header lives.
    unsafe fn header(&self, data: *mut c_void) -> Result<Mat, FrameError> {
        // SAFETY: passed on to the caller; the extent was proved in `new`.
        Ok(unsafe { Mat::new_rows_cols_with_data_unsafe(self.rows, self.cols, self.kind, data, self.step)? })
    }
}
