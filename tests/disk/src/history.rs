//! What the recorded operations leave when power is lost at some moment.

use crate::{
    Loss,
    loss::Fate,
    record::{Event, FileId},
};
use std::{collections::BTreeMap, fmt};

/// The files of a folder, by their names.
pub type Image = BTreeMap<String, Vec<u8>>;

/// Junk: what a new part of a file holds that was never written.
const JUNK: u8 = 0xa5;

/// All that happened to a folder, from what it held at first.
#[derive(Debug)]
pub struct History {
    pub(crate) files: Vec<Vec<u8>>,
    pub(crate) names: BTreeMap<String, FileId>,
    pub(crate) events: Vec<Event>,
}

impl History {
    /// The moments that matter: just before each sync that had something to do, and the end. Whatever may be found after
    /// a loss of power at any other moment may be found after one at the next of these.
    #[must_use]
    pub fn barriers(&self) -> Vec<usize> {
        let mut barriers = Vec::new();
        let mut has_changed = false;
        for (moment, event) in self.events.iter().enumerate() {
            let is_barrier = matches!(event, Event::Synced { .. } | Event::SyncFailed { .. } | Event::NamesSynced);
            if is_barrier && has_changed {
                barriers.push(moment);
            }
            has_changed = !is_barrier;
        }
        barriers.push(self.events.len());
        barriers
    }

    /// Power is lost when so much has happened.
    #[must_use]
    pub fn crash(&self, moment: usize) -> Crash<'_> {
        let events = &self.events[..moment];
        let durable = durable(events, self.files.len());
        let mut crash = Crash { files: self.files.clone(), names: self.names.clone(), late: Vec::new(), pending: 0 };
        let mut is_late = vec![false; self.files.len()];
        let mut names_late = false;
        for (event, is_durable) in events.iter().zip(durable) {
            let late = match event {
                Event::Written { file, .. } | Event::Truncated { file, .. } => &mut is_late[*file],
                Event::Named { .. } | Event::Unnamed { .. } => &mut names_late,
                Event::Synced { .. } | Event::SyncFailed { .. } | Event::NamesSynced => continue,
            };
            *late |= !is_durable;
            if *late {
                let pending = (!is_durable).then_some(crash.pending);
                crash.pending += usize::from(!is_durable);
                crash.late.push(Late { event, pending });
            } else {
                apply(event, &mut crash.files, &mut crash.names);
            }
        }
        crash
    }
}

/// Which of these events a later one has made durable. What a failed sync was for, none does.
fn durable(events: &[Event], files: usize) -> Vec<bool> {
    let mut next_sync = vec![false; files];
    let mut names = false;
    let mut durable: Vec<bool> = events
        .iter()
        .rev()
        .map(|event| match event {
            Event::Written { file, .. } | Event::Truncated { file, .. } => next_sync[*file],
            Event::Named { .. } | Event::Unnamed { .. } => names,
            Event::Synced { file } => std::mem::replace(&mut next_sync[*file], true),
            Event::SyncFailed { file } => std::mem::replace(&mut next_sync[*file], false),
            Event::NamesSynced => std::mem::replace(&mut names, true),
        })
        .collect();
    durable.reverse();
    durable
}

/// An operation that is not durable, or comes after one of the same file that is not.
#[derive(Debug)]
struct Late<'h> {
    event: &'h Event,
    /// Its number among those that are not durable.
    pending: Option<usize>,
}

/// What there was of a folder when power was lost.
#[derive(Debug)]
pub struct Crash<'h> {
    /// What is there whatever is lost, of all files and names.
    files: Vec<Vec<u8>>,
    names: BTreeMap<String, FileId>,
    late: Vec<Late<'h>>,
    pending: usize,
}

impl Crash<'_> {
    /// How many operations may be lost.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// What is found after this loss.
    #[must_use]
    pub fn image(&self, loss: Loss) -> Image {
        let (mut files, mut names) = (self.files.clone(), self.names.clone());
        for late in &self.late {
            let fate = |sector, sectors| match late.pending {
                Some(operation) => loss.fate(operation, sector, sectors),
                None => Fate::Kept,
            };
            match late.event {
                Event::Written { file, offset, bytes } => {
                    let durable = self.files[*file].len();
                    write_sectors(&mut files[*file], durable, *offset, bytes, loss.sector(), fate);
                }
                event if fate(0, 1) == Fate::Kept => apply(event, &mut files, &mut names),
                _ => {}
            }
        }
        names.into_iter().map(|(name, file)| (name, files[file].clone())).collect()
    }
}

/// The operations that may be lost, one a line.
impl fmt::Display for Crash<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for late in &self.late {
            let Some(number) = late.pending else { continue };
            match late.event {
                Event::Written { file, offset, bytes } => {
                    writeln!(f, "{number}: file {file}: {} bytes at {offset}", bytes.len())?;
                }
                Event::Truncated { file, size } => writeln!(f, "{number}: file {file}: cut to {size} bytes")?,
                Event::Named { name, file } => writeln!(f, "{number}: file {file} is named {name}")?,
                Event::Unnamed { name } => writeln!(f, "{number}: {name} is removed")?,
                Event::Synced { .. } | Event::SyncFailed { .. } | Event::NamesSynced => {}
            }
        }
        Ok(())
    }
}

fn apply(event: &Event, files: &mut [Vec<u8>], names: &mut BTreeMap<String, FileId>) {
    match event {
        Event::Written { file, offset, bytes } => put(&mut files[*file], *offset, bytes),
        Event::Truncated { file, size } => files[*file].resize(*size, 0),
        Event::Named { name, file } => drop(names.insert(name.clone(), *file)),
        Event::Unnamed { name } => drop(names.remove(name)),
        Event::Synced { .. } | Event::SyncFailed { .. } | Event::NamesSynced => {}
    }
}

fn put(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[offset..end].copy_from_slice(bytes);
}

/// Writes what each sector of the disk has of a write.
fn write_sectors(
    file: &mut Vec<u8>,
    durable: usize,
    offset: usize,
    bytes: &[u8],
    sector: usize,
    fate: impl Fn(usize, usize) -> Fate,
) {
    let first = offset / sector;
    let sectors = (offset + bytes.len()).div_ceil(sector) - first;
    for number in 0..sectors {
        let begin = offset.max((first + number) * sector);
        let end = (offset + bytes.len()).min((first + number + 1) * sector);
        match fate(number, sectors) {
            Fate::Kept => put(file, begin, &bytes[begin - offset..end - offset]),
            // Bytes that were there before are there, or those that were written.
            Fate::Junk if begin >= durable => put(file, begin, &vec![JUNK; end - begin]),
            Fate::Junk | Fate::Lost => {}
        }
    }
}
