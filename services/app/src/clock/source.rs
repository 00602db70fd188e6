//! Which source a [`ClockStatus`] is read from.

use std::path::PathBuf;

use crate::clock::clock_bound::files;
use crate::clock::ecs_metadata::poll::LatestStatement;
use crate::clock::kernel;
use crate::clock::status::ClockStatus;

/// Reads the [`ClockStatus`], and remembers which source it came from.
#[derive(Debug)]
pub(crate) struct ClockStatusSource {
    source: Source,
    last: Option<BoundSource>,
}

#[derive(Debug)]
enum Source {
    Kernel,
    /// ClockBound's file or directory. While it gives no status, the kernel is asked.
    ClockBound(PathBuf),
    /// What Amazon ECS states, and nothing else.
    EcsMetadata(LatestStatement),
}

/// Where the bound on the error comes from, to be logged when it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BoundSource {
    ClockBound {
        file: PathBuf,
    },
    Kernel {
        /// What is wrong with ClockBound's segment.
        why: String,
    },
    EcsMetadata,
    /// Amazon ECS states no bound. The last one, if any, still holds and grows.
    NoEcsMetadata {
        why: String,
    },
}

impl ClockStatusSource {
    pub(crate) fn kernel() -> Self {
        Self { source: Source::Kernel, last: None }
    }

    /// Reads ClockBound at that path as long as it is usable, and the kernel otherwise.
    pub(crate) fn clock_bound(path: PathBuf) -> Self {
        Self { source: Source::ClockBound(path), last: None }
    }

    pub(crate) fn ecs_metadata(latest: LatestStatement) -> Self {
        Self { source: Source::EcsMetadata(latest), last: None }
    }

    /// Call once a second. Returns the source of the bound when that has changed.
    pub(crate) fn read(&mut self) -> (ClockStatus, Option<BoundSource>) {
        let (status, source) = match &self.source {
            Source::Kernel => (kernel::status(), None),
            Source::ClockBound(path) => match files::status(path) {
                Ok((status, file)) => (status, Some(BoundSource::ClockBound { file })),
                Err(error) => (kernel::status(), Some(BoundSource::Kernel { why: error.to_string() })),
            },
            Source::EcsMetadata(latest) => (
                latest.status(),
                latest.outcome().map(|outcome| match outcome {
                    Ok(()) => BoundSource::EcsMetadata,
                    Err(why) => BoundSource::NoEcsMetadata { why },
                }),
            ),
        };
        let is_new = source.as_ref().is_some_and(|source| !self.is_last(source));
        if is_new {
            self.last.clone_from(&source);
        }
        (status, source.filter(|_| is_new))
    }

    fn is_last(&self, source: &BoundSource) -> bool {
        match (&self.last, source) {
            // A daemon that comes and goes may break its file in more than one way.
            (Some(BoundSource::Kernel { .. }), BoundSource::Kernel { .. }) => true,
            (last, source) => last.as_ref() == Some(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_it_believes_is_said_once_and_it_is_the_kernel_while_there_is_no_clock_bound() {
        let mut source = ClockStatusSource::clock_bound("/nowhere/clockbound/shm0".into());
        let (status, bound_source) = source.read();
        assert_eq!(std::mem::discriminant(&status), std::mem::discriminant(&kernel::status()));
        let Some(BoundSource::Kernel { why }) = bound_source else { panic!("{bound_source:?}") };
        assert!(why.starts_with("cannot be read: "), "{why}");
        assert_eq!(source.read().1, None);
        assert_eq!(ClockStatusSource::kernel().read().1, None);
    }

    #[test]
    fn before_the_first_answer_of_ecs_the_status_is_unknown_and_nothing_is_said() {
        let mut source = ClockStatusSource::ecs_metadata(LatestStatement::default());
        assert_eq!(source.read(), (ClockStatus::Unknown, None));
    }
}
