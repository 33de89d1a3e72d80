//! Several captures as one, in time order.
//!
//! In go paths of files and folders, out come their frames by time; at equal times by file, the files ordered by the
//! time of their first frame, then as they were given. So the same packets give the same order whether they lie in one
//! file or, cut anywhere in time, in many. A file that cannot be read to its end does not stop the others: its error is
//! kept in [`MergedSource::errors`] for the caller to report at the end.
//!
//! A file is read from when the merge reaches its first frame until its end: of a day of rotated captures one or two
//! are being read at any time. Files that wait keep a descriptor, so that a rotation cannot take them away, but only up
//! to [`MAX_KEPT_DESCRIPTORS`](super::gather::MAX_KEPT_DESCRIPTORS); beyond that they are opened again when their time has come.

use super::error::{CaptureError, Name};
use super::file::{CHUNK_BYTES, FileSource, open_file};
use super::gather::{Gathered, Probed, Skipped};
use super::{Frame, FrameSource, Position};
use crate::time::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::path::PathBuf;

/// Read buffers of all files that are read at once share this much; none gets less than 64 KiB.
pub const BUFFERS_BYTES: usize = 32 * 1024 * 1024;
/// Small reads cost system calls: 64 KiB still hold fifty full-sized frames.
pub(super) const MIN_CHUNK_BYTES: usize = 64 * 1024;

/// A file on its way through the merge.
pub(super) enum Slot {
    /// Its first frame is not yet due. Without a descriptor it is opened anew.
    Waiting(Option<File>),
    Reading(Box<FileSource>),
    Done,
}

/// Frames of several captures in time order.
pub struct MergedSource {
    files: Vec<PathBuf>,
    slots: Vec<Slot>,
    /// Time of the next frame of each file that is not done, and the file's number.
    due: BinaryHeap<Reverse<(Timestamp, u16)>>,
    /// The file whose frame was given last, and is on top of `due`: it has yet to advance.
    given: Option<u16>,
    reading: usize,
    /// Bytes read of files that are done.
    read: u64,
    total: Option<u64>,
    errors: Vec<CaptureError>,
    skipped: Vec<Skipped>,
}

impl MergedSource {
    /// Opens files and folders. Fails only when there is nothing to read at all; otherwise what went wrong with some
    /// of them is in [`MergedSource::errors`].
    pub fn open(paths: &[PathBuf]) -> Result<MergedSource, CaptureError> {
        if let [path] = paths
            && !path.is_dir()
        {
            return FileSource::open(path).map(MergedSource::of_one);
        }
        let mut gathered = Gathered::default();
        for path in paths {
            gathered.add(path);
        }
        let Gathered { mut probed, mut errors, skipped, .. } = gathered;
        if probed.is_empty() {
            return Err(match errors.len() {
                0 if paths.is_empty() => CaptureError::NothingToRead { what: "no file was named".to_owned() },
                0 => CaptureError::NothingToRead { what: format!("no captures in {}", names(paths)) },
                1 => errors.remove(0), // there is one
                _ => CaptureError::Several(errors),
            });
        }
        if probed.len() > usize::from(u16::MAX) {
            let what = format!("{} files are more than {} at once; merge them in parts", probed.len(), u16::MAX);
            return Err(CaptureError::NothingToRead { what });
        }
        probed.sort_by_key(|file| (file.first.is_none(), file.first)); // stable: ties stay as given
        Ok(MergedSource::of_probed(probed, errors, skipped))
    }

    /// One file goes straight through: nothing is read before the first frame is asked for.
    fn of_one(source: FileSource) -> MergedSource {
        MergedSource {
            files: vec![source.path().to_path_buf()],
            total: source.position().total,
            slots: vec![Slot::Reading(Box::new(source))],
            due: BinaryHeap::from([Reverse((Timestamp::MIN, 0))]),
            given: Some(0),
            reading: 1,
            read: 0,
            errors: Vec::new(),
            skipped: Vec::new(),
        }
    }

    fn of_probed(probed: Vec<Probed>, errors: Vec<CaptureError>, skipped: Vec<Skipped>) -> MergedSource {
        let mut merged = MergedSource {
            files: Vec::with_capacity(probed.len()),
            slots: Vec::with_capacity(probed.len()),
            due: BinaryHeap::with_capacity(probed.len()),
            given: None,
            reading: 0,
            read: 0,
            total: probed.iter().map(|file| file.length).sum(),
            errors,
            skipped,
        };
        for (number, file) in (0u16..).zip(probed) {
            merged.files.push(file.path);
            merged.due.extend(file.first.map(|first| Reverse((first, number))));
            merged.reading += usize::from(matches!(file.slot, Slot::Reading(_)));
            merged.slots.push(match file.slot {
                Slot::Reading(source) => Slot::Reading(Box::new(source.numbered(number))),
                other => other,
            });
            if file.first.is_none() {
                merged.read += file.length.unwrap_or_default();
            }
        }
        merged
    }

    /// The files in the order of their numbers ([`Frame::source`]).
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What went wrong so far; each error ended its file, not the merge.
    pub fn errors(&self) -> &[CaptureError] {
        &self.errors
    }

    /// The same, handed over.
    pub fn take_errors(&mut self) -> Vec<CaptureError> {
        std::mem::take(&mut self.errors)
    }

    /// Files of folders that are no captures.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The file whose frame is due, advanced to it; nothing when all are done.
    fn advance(&mut self) -> Option<u16> {
        if self.given.take().is_some() {
            self.advance_top();
        }
        loop {
            let Reverse((_, number)) = *self.due.peek()?;
            if !matches!(self.slots.get(usize::from(number)), Some(Slot::Waiting(_))) {
                return Some(number);
            }
            self.start_reading(number);
            self.advance_top();
        }
    }

    /// Moves the file on top of `due` to its next frame, or out of it.
    #[inline]
    fn advance_top(&mut self) {
        let Some(mut top) = self.due.peek_mut() else { return };
        let Reverse((_, number)) = *top;
        let next = match self.slots.get_mut(usize::from(number)) {
            Some(Slot::Reading(source)) => source.advance(),
            _ => Ok(None),
        };
        match next {
            Ok(Some(time)) => *top = Reverse((time, number)),
            ended => {
                PeekMut::pop(top);
                self.errors.extend(ended.err());
                self.close(number);
            }
        }
    }

    fn start_reading(&mut self, number: u16) {
        let index = usize::from(number);
        let (Some(path), Some(slot)) = (self.files.get(index), self.slots.get_mut(index)) else { return };
        let Slot::Waiting(kept) = std::mem::replace(slot, Slot::Done) else { return };
        let chunk = (BUFFERS_BYTES / (self.reading + 1)).clamp(MIN_CHUNK_BYTES, CHUNK_BYTES);
        let opened = match kept {
            Some(file) => Ok(file),
            None => open_file(path),
        };
        match opened.and_then(|file| FileSource::from_file(path, file, chunk)) {
            Ok(source) => {
                *slot = Slot::Reading(Box::new(source.numbered(number)));
                self.reading += 1;
            }
            Err(error) => self.errors.push(error),
        }
    }

    fn close(&mut self, number: u16) {
        let Some(slot) = self.slots.get_mut(usize::from(number)) else { return };
        if let Slot::Reading(source) = std::mem::replace(slot, Slot::Done) {
            self.read += source.position().read;
            self.reading -= 1;
        }
    }
}

impl FrameSource for MergedSource {
    /// Never an error: see [`MergedSource::errors`].
    #[inline]
    fn next(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let Some(number) = self.advance() else { return Ok(None) };
        self.given = Some(number);
        match self.slots.get(usize::from(number)) {
            Some(Slot::Reading(source)) => Ok(source.frame()),
            _ => Ok(None),
        }
    }

    fn position(&self) -> Position {
        let reading = self.slots.iter().map(|slot| match slot {
            Slot::Reading(source) => source.position().read,
            Slot::Waiting(_) | Slot::Done => 0,
        });
        Position { read: self.read + reading.sum::<u64>(), total: self.total }
    }
}

fn names(paths: &[PathBuf]) -> String {
    let names: Vec<_> = paths.iter().map(|path| Name(path).to_string()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::gather::MAX_KEPT_DESCRIPTORS;
    use crate::capture::input::ByteOrder;
    use crate::capture::samples::{MICROSECONDS, pcap_at, pcap_header};
    use proptest::prelude::*;
    use std::fs;
    use std::path::Path;

    fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Second and file of every frame.
    fn drain(source: &mut MergedSource) -> Vec<(i64, u16)> {
        let mut seen = Vec::new();
        while let Some(frame) = source.next().unwrap() {
            assert!(frame.bytes.iter().all(|byte| i64::from(*byte) == frame.time.seconds() % 256));
            seen.push((frame.time.seconds(), frame.source));
        }
        seen
    }

    #[test]
    fn files_are_merged_in_time_order_ties_by_file() {
        let folder = tempfile::tempdir().unwrap();
        let late = write(folder.path(), "a.pcap", &pcap_at(&[5, 7, 9], 40));
        let early = write(folder.path(), "b.pcap", &pcap_at(&[3, 7, 8], 40));
        let tied = write(folder.path(), "c.pcap", &pcap_at(&[3, 3], 40));
        let mut merged = MergedSource::open(&[late.clone(), early.clone(), tied.clone()]).unwrap();
        assert_eq!(merged.files(), [early, tied, late]);
        assert_eq!(drain(&mut merged), [(3, 0), (3, 1), (3, 1), (5, 2), (7, 0), (7, 2), (8, 0), (9, 2)]);
        assert!(merged.errors().is_empty());
        let position = merged.position();
        assert_eq!(Some(position.read), position.total);
    }

    #[test]
    fn one_file_goes_straight_through_in_its_own_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "a.pcap", &pcap_at(&[5, 3, 4], 40));
        let mut merged = MergedSource::open(&[path]).unwrap();
        assert_eq!(drain(&mut merged), [(5, 0), (3, 0), (4, 0)]);
        assert_eq!(merged.next().unwrap(), None);
    }

    #[test]
    fn an_error_in_one_file_does_not_lose_the_frames_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut cut = pcap_at(&[1, 4, 6], 40);
        cut.truncate(cut.len() - 1);
        let paths = [
            write(folder.path(), "cut.pcap", &cut),
            write(folder.path(), "web.pcap", b"<html>"),
            folder.path().join("missing.pcap"),
            write(folder.path(), "first.pcap", &pcap_at(&[1], 40)[..50]),
            write(folder.path(), "good.pcap", &pcap_at(&[2, 5, 7], 40)),
        ];
        let mut merged = MergedSource::open(&paths).unwrap();
        assert_eq!(merged.errors().len(), 3);
        assert_eq!(drain(&mut merged).iter().map(|(second, _)| *second).collect::<Vec<_>>(), [1, 2, 4, 5, 7]);
        assert!(matches!(merged.errors(), [_, _, _, CaptureError::Truncated { .. }]), "{:?}", merged.errors());
        let position = merged.position();
        assert_eq!(Some(position.read), position.total);
    }

    #[test]
    fn a_folder_is_its_captures_by_name_and_the_rest_is_noted() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("b");
        fs::create_dir(&inner).unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        write(&folder.path().join(".git"), "hidden.pcap", &pcap_at(&[1], 40));
        write(folder.path(), "c.pcap", &pcap_at(&[1], 40));
        write(folder.path(), "a.anything", &pcap_at(&[1], 40));
        write(&inner, "d.pcap", &pcap_at(&[1], 40));
        write(folder.path(), "notes.txt", b"some words");
        write(folder.path(), "empty.pcap", b"");
        let mut merged = MergedSource::open(&[folder.path().to_path_buf()]).unwrap();
        let name = |path: &Path| path.strip_prefix(folder.path()).unwrap().display().to_string();
        assert_eq!(
            merged.files().iter().map(|path| name(path)).collect::<Vec<_>>(),
            ["a.anything", "b/d.pcap", "c.pcap"]
        );
        let skipped: Vec<_> = merged.skipped().iter().map(|file| (name(&file.path), file.reason.as_str())).collect();
        let expected = [(".git", "is hidden"), ("empty.pcap", "is empty"), ("notes.txt", "looks like plain text")];
        assert_eq!(skipped, expected.map(|(path, reason)| (path.to_owned(), reason)));
        assert_eq!(drain(&mut merged), [(1, 0), (1, 1), (1, 2)]);
        assert!(merged.errors().is_empty());
    }

    #[test]
    fn nothing_to_read_is_an_error_that_says_what_was_tried() {
        let folder = tempfile::tempdir().unwrap();
        let open = |paths: &[PathBuf]| MergedSource::open(paths).err().unwrap();
        assert!(open(&[]).to_string().contains("no file was named"));
        assert!(open(&[folder.path().to_path_buf()]).to_string().contains("no captures in"));
        let missing = [folder.path().join("a"), folder.path().join("b")];
        assert!(matches!(open(&missing[..1]), CaptureError::Open { .. }));
        let both = open(&missing);
        assert!(matches!(&both, CaptureError::Several(errors) if errors.len() == 2));
        assert_eq!(both.to_string().lines().count(), 2);
    }

    #[test]
    fn a_file_without_frames_takes_part_without_harm() {
        let folder = tempfile::tempdir().unwrap();
        let none = write(folder.path(), "none.pcap", &pcap_header(ByteOrder::Big, MICROSECONDS, 65_535, 1));
        let some = write(folder.path(), "some.pcap", &pcap_at(&[1, 2], 40));
        let mut merged = MergedSource::open(&[none.clone(), some.clone()]).unwrap();
        assert_eq!(merged.files(), [some, none]);
        assert_eq!(drain(&mut merged), [(1, 0), (2, 0)]);
        let position = merged.position();
        assert_eq!(Some(position.read), position.total);
    }

    #[test]
    fn more_files_than_descriptors_are_kept_are_all_read() {
        let folder = tempfile::tempdir().unwrap();
        let count = MAX_KEPT_DESCRIPTORS as u32 + 40;
        let paths: Vec<PathBuf> = (0..count)
            .rev()
            .map(|number| write(folder.path(), &format!("{number}.pcap"), &pcap_at(&[number * 2, number * 2 + 3], 40)))
            .collect();
        let mut merged = MergedSource::open(&paths).unwrap();
        let kept = merged.slots.iter().filter(|slot| matches!(slot, Slot::Waiting(Some(_)))).count();
        assert_eq!(kept, MAX_KEPT_DESCRIPTORS);
        let mut most_at_once = 0;
        let mut seconds = Vec::new();
        while let Some(frame) = merged.next().unwrap() {
            seconds.push(frame.time.seconds());
            most_at_once = most_at_once.max(merged.reading);
        }
        assert!(seconds.is_sorted() && seconds.len() == 2 * paths.len());
        assert!(most_at_once <= 3, "{most_at_once} files were read at once");
        assert_eq!(merged.reading, 0);
    }

    #[test]
    fn a_waiting_file_survives_its_removal_and_one_let_go_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [
            write(folder.path(), "a.pcap", &pcap_at(&[1], 40)),
            write(folder.path(), "b.pcap", &pcap_at(&[2], 40)),
            write(folder.path(), "c.pcap", &pcap_at(&[3], 40)),
        ];
        let mut merged = MergedSource::open(&paths).unwrap();
        merged.slots[2] = Slot::Waiting(None);
        paths.iter().for_each(|path| fs::remove_file(path).unwrap());
        assert_eq!(drain(&mut merged), [(1, 0), (2, 1)]);
        assert!(matches!(merged.errors(), [CaptureError::Open { .. }]));
    }

    #[test]
    fn sources_and_filters_move_between_threads() {
        fn moves<T: Send>() {}
        moves::<MergedSource>();
        moves::<FileSource>();
        moves::<crate::capture::Filter>();
        moves::<CaptureError>();
    }

    proptest! {
        /// The merge is a stable sort of the frames by time, where each file is in order.
        #[test]
        fn a_merge_is_a_stable_sort(mut files in prop::collection::vec(prop::collection::vec(0..50u32, 0..12), 2..7)) {
            let folder = tempfile::tempdir().unwrap();
            files.iter_mut().for_each(|seconds| seconds.sort_unstable());
            let paths: Vec<PathBuf> = files
                .iter()
                .enumerate()
                .map(|(index, seconds)| write(folder.path(), &format!("{index}"), &pcap_at(seconds, 40)))
                .collect();
            files.sort_by_key(|seconds| (seconds.is_empty(), seconds.first().copied()));
            let mut expected: Vec<(i64, u16)> = (0u16..)
                .zip(&files)
                .flat_map(|(file, seconds)| seconds.iter().map(move |second| (i64::from(*second), file)))
                .collect();
            expected.sort_by_key(|(second, _)| *second);
            let mut merged = MergedSource::open(&paths).unwrap();
            prop_assert_eq!(drain(&mut merged), expected);
        }

        /// However a capture in order is cut into files, and in whichever order they are named, it reads the same.
        #[test]
        fn any_split_of_a_capture_reads_like_the_whole(
            mut seconds in prop::collection::vec(0..20u32, 1..30), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            let folder = tempfile::tempdir().unwrap();
            seconds.sort_unstable();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(seconds.len())).collect();
            cuts.extend([0, seconds.len()]);
            cuts.sort_unstable();
            cuts.dedup();
            let paths: Vec<PathBuf> = cuts
                .windows(2)
                .map(|cut| write(folder.path(), &format!("{:03}", cut[0]), &pcap_at(&seconds[cut[0]..cut[1]], 40)))
                .collect();
            let mut merged = MergedSource::open(&paths).unwrap();
            let read: Vec<u32> = drain(&mut merged).iter().map(|(second, _)| *second as u32).collect();
            prop_assert_eq!(read, seconds);
        }
    }
}
