//! The id of this process, which clients see as `instance`.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};

/// Eight hexadecimal digits, new at each call. The standard library seeds its hash maps from the system's random numbers,
/// which is enough to tell processes apart.
pub(crate) fn random_instance() -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("{:08x}", random >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_eight_hexadecimal_digits_and_new_each_time() {
        let (one, other) = (random_instance(), random_instance());
        assert_eq!(one.len(), 8);
        assert!(one.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{one}");
        assert_ne!(one, other);
    }
}
