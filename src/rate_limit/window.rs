//! A sliding window: requests of the running minute, and of the minute before as far as it still counts.
//!
//! The approximation counts two fixed windows and weighs the older one by the part of it that a window ending now would
//! cover. Windows begin at multiples of their length since 1970, so that all processes mean the same ones.

/// So many requests in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Most requests in a window.
    pub requests: u32,
    /// The window, in milliseconds.
    pub window_ms: u64,
}

/// What is left of a quota after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// Requests that are left.
    pub remaining: u32,
    /// Milliseconds until the running window ends.
    pub reset_ms: u64,
}

/// The window is full: milliseconds until there is room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Milliseconds to wait.
    pub wait_ms: u64,
}

/// Requests that were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    index: u64,
    current: u32,
    previous: u32,
    /// Requests of the running window that other processes have not been told of.
    unshared: u32,
}

impl Window {
    fn roll(&mut self, index: u64) {
        // A clock that was set back must not forget.
        if index > self.index {
            self.previous = if index == self.index + 1 { self.current } else { 0 };
            *self = Self { index, current: 0, previous: self.previous, unshared: 0 };
        }
    }

    /// Counts a request, if there is room for it.
    ///
    /// # Errors
    /// [`Full`]; then nothing is counted.
    pub fn take(&mut self, quota: Quota, now_ms: u64) -> Result<Remaining, Full> {
        let window_ms = quota.window_ms.max(1);
        self.roll(now_ms / window_ms);
        let elapsed_ms = now_ms % window_ms;
        let (previous, current) = (u64::from(self.previous), u64::from(self.current));
        // In requests × milliseconds, so that no fraction is lost.
        let used = previous * (window_ms - elapsed_ms) + current * window_ms;
        let room = u64::from(quota.requests) * window_ms;
        if used + window_ms > room {
            return Err(Full { wait_ms: wait(quota, previous, current, elapsed_ms) });
        }
        self.current += 1;
        self.unshared += 1;
        let left = (room - used) / window_ms - 1;
        Ok(Remaining { remaining: u32::try_from(left).unwrap_or(u32::MAX), reset_ms: window_ms - elapsed_ms })
    }

    /// Adds requests that another process has counted in a window.
    pub fn add(&mut self, index: u64, requests: u32) {
        self.roll(index);
        if index == self.index {
            self.current = self.current.saturating_add(requests);
        } else if index + 1 == self.index {
            self.previous = self.previous.saturating_add(requests);
        }
    }

    /// Takes what others have not been told of: which window, and how many requests.
    pub fn share(&mut self) -> Option<(u64, u32)> {
        let unshared = std::mem::take(&mut self.unshared);
        (unshared > 0).then_some((self.index, unshared))
    }

    /// Requests that others have not been told of.
    pub fn unshared(&self) -> u32 {
        self.unshared
    }
}

/// How long until one more request has room.
fn wait(quota: Quota, previous: u64, current: u64, elapsed_ms: u64) -> u64 {
    let (requests, window_ms) = (u64::from(quota.requests), quota.window_ms.max(1));
    if requests == 0 {
        return window_ms;
    }
    // The part of a window after which `older` requests count for no more than `allowed`.
    let part = |older: u64, allowed: u64| {
        if older <= allowed { 0 } else { window_ms - allowed * window_ms / older }
    };
    if current < requests {
        return part(previous, requests - 1 - current).saturating_sub(elapsed_ms).max(1);
    }
    window_ms - elapsed_ms + part(current, requests - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUOTA: Quota = Quota { requests: 10, window_ms: 1000 };

    #[test]
    fn a_window_takes_its_requests_and_tells_when_there_is_room_again() {
        let mut window = Window::default();
        for left in (0..10).rev() {
            assert_eq!(window.take(QUOTA, 5_000), Ok(Remaining { remaining: left, reset_ms: 1000 }));
        }
        let full = window.take(QUOTA, 5_500).expect_err("ten were taken");
        assert_eq!(full.wait_ms, 500 + 100);
        assert!(window.take(QUOTA, 5_500 + full.wait_ms).is_ok());
    }

    #[test]
    fn the_window_before_counts_as_far_as_it_is_covered() {
        let mut window = Window::default();
        for _ in 0..10 {
            window.take(QUOTA, 5_999).expect("room");
        }
        assert!(window.take(QUOTA, 6_000).is_err(), "a window's end is no new beginning");
        assert_eq!(window.take(QUOTA, 6_500).map(|left| left.remaining), Ok(4));
        assert_eq!(window.take(QUOTA, 8_000).map(|left| left.remaining), Ok(9));
    }

    #[test]
    fn what_others_counted_counts() {
        let (mut here, mut there) = (Window::default(), Window::default());
        for _ in 0..6 {
            here.take(QUOTA, 5_100).expect("room");
        }
        let (index, requests) = here.share().expect("six");
        assert_eq!((index, requests, here.share()), (5, 6, None));
        there.add(index, requests);
        for _ in 0..4 {
            there.take(QUOTA, 5_200).expect("room");
        }
        assert!(there.take(QUOTA, 5_200).is_err());
        assert_eq!(there.share(), Some((5, 4)), "what was received is not told on");
        here.add(5, 4);
        here.take(QUOTA, 6_900).expect("room");
        here.add(5, 100);
        assert!(here.take(QUOTA, 6_900).is_err(), "late news of the window before");
    }

    proptest! {
        #[test]
        fn no_window_has_more_than_its_requests_and_waiting_helps(
            requests in 1_u32..20, gaps in prop::collection::vec(0_u64..400, 1..200)
        ) {
            let quota = Quota { requests, window_ms: 1000 };
            let (mut window, mut now) = (Window::default(), 10_000);
            let mut aligned = std::collections::BTreeMap::<u64, u32>::new();
            for gap in gaps {
                now += gap;
                match window.take(quota, now) {
                    Ok(_) => *aligned.entry(now / 1000).or_default() += 1,
                    Err(full) => {
                        prop_assert!(full.wait_ms > 0 && full.wait_ms <= 2000);
                        let mut later = window;
                        prop_assert!(later.take(quota, now + full.wait_ms).is_ok());
                    }
                }
            }
            prop_assert!(aligned.values().all(|taken| *taken <= requests));
        }
    }
}
