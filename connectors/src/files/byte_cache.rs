//! A cache bounded in bytes that forgets what was not used lately.

use std::collections::HashMap;
use std::hash::Hash;

use parking_lot::Mutex;

/// Two generations: entries used since the last change of generation, and the ones before.
///
/// When the young generation reaches half the bound, the old one is dropped and the young one
/// grows old; a hit in the old one moves the entry over. That costs nothing per hit and keeps at
/// least the most recently used half.
pub(super) struct ByteCache<K, V> {
    half: usize,
    generations: Mutex<Generations<K, V>>,
}

struct Generations<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    young_bytes: usize,
}

impl<K: Hash + Eq + Clone, V: Clone> ByteCache<K, V> {
    pub(super) fn new(bytes_max: usize) -> Self {
        let generations = Generations {
            young: HashMap::new(),
            old: HashMap::new(),
            young_bytes: 0,
        };
        Self {
            half: bytes_max / 2,
            generations: Mutex::new(generations),
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        let mut generations = self.generations.lock();
        if let Some((value, _)) = generations.young.get(key) {
            return Some(value.clone());
        }
        let (value, bytes) = generations.old.remove(key)?;
        generations.insert(key.clone(), value.clone(), bytes, self.half);
        Some(value)
    }

    pub(super) fn put(&self, key: K, value: V, bytes: usize) {
        let mut generations = self.generations.lock();
        generations.old.remove(&key);
        generations.insert(key, value, bytes, self.half);
    }

    pub(super) fn retain(&self, keep: impl Fn(&K) -> bool) {
        let mut generations = self.generations.lock();
        generations.old.retain(|key, _| keep(key));
        generations.young.retain(|key, _| keep(key));
        generations.young_bytes = generations.young.values().map(|(_, bytes)| bytes).sum();
    }
}

impl<K: Hash + Eq, V> Generations<K, V> {
    fn insert(&mut self, key: K, value: V, bytes: usize, half: usize) {
        if let Some((_, replaced)) = self.young.insert(key, (value, bytes)) {
            self.young_bytes -= replaced;
        }
        self.young_bytes += bytes;
        if self.young_bytes > half {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays() {
        let cache = ByteCache::new(100);
        cache.put("kept", 0, 10);
        for i in 0..50 {
            cache.put("other", i, 10);
            let name: &'static str = Box::leak(format!("{i}").into_boxed_str());
            cache.put(name, i, 10);
            assert_eq!(cache.get(&"kept"), Some(0));
        }
        assert_eq!(cache.get(&"0"), None);
        assert_eq!(cache.get(&"49"), Some(49));
    }

    #[test]
    fn a_replaced_entry_is_counted_once() {
        let cache = ByteCache::new(100);
        for i in 0..50 {
            cache.put("a", i, 30);
        }
        cache.put("b", 1, 10);
        assert_eq!(cache.get(&"a"), Some(49));
    }
}
