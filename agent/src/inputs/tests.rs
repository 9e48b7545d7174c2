use super::*;

fn store(folder: &Path, cache_bytes: u64) -> InputStore {
    let limits = InputLimits {
        cache_bytes,
        reserve_bytes: 0,
    };
    InputStore::new(folder.join("inputs"), limits)
}

async fn begin(store: &InputStore, bytes: &[u8]) -> Result<Incoming, InputError> {
    let turn = store.turn().await;
    store.begin(&BlobId::of(bytes), bytes.len() as u64, turn)
}

async fn take(store: &InputStore, bytes: &[u8]) -> PathBuf {
    let mut incoming = begin(store, bytes).await.unwrap();
    incoming.write(bytes).unwrap();
    incoming.finish().unwrap()
}

/// As if it had not been used for an hour.
fn age(file: &Path, hours: u64) {
    let file = std::fs::OpenOptions::new().append(true).open(file).unwrap();
    let then = SystemTime::now() - Duration::from_secs(hours * 3600);
    file.set_modified(then).unwrap();
}

#[tokio::test]
async fn what_broke_off_is_gone_on_with_also_by_the_next_agent() {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..700_000_u32).map(|n| (n % 251) as u8).collect();
    let mut first = begin(&store(folder.path(), 1 << 20), &bytes).await.unwrap();
    first.write(&bytes[..300_000]).unwrap();
    drop(first);

    let store = store(folder.path(), 1 << 20);
    assert_eq!(store.find(&BlobId::of(&bytes)).unwrap(), None);
    let mut second = begin(&store, &bytes).await.unwrap();
    assert_eq!((second.position(), second.was_found()), (300_000, true));
    second.write(&bytes[300_000..]).unwrap();
    assert!(second.is_complete());
    let path = second.finish().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(
        store.find(&BlobId::of(&bytes)).unwrap(),
        Some((path, 700_000))
    );
}

#[tokio::test]
async fn other_bytes_are_thrown_away_and_can_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 100);
    let mut incoming = begin(&store, b"right").await.unwrap();
    incoming.write(b"wrong").unwrap();
    let error = incoming.finish().unwrap_err();
    assert!(matches!(error, InputError::Tampered { .. }), "{error}");
    let error = incoming.write(b"much too long").unwrap_err();
    assert!(matches!(error, InputError::TooLong { .. }), "{error}");
    drop(incoming);
    assert_eq!(begin(&store, b"right").await.unwrap().position(), 0);
    assert_eq!(
        std::fs::read(take(&store, b"right").await).unwrap(),
        b"right"
    );

    // What this disk spoiled is seen to be perhaps its fault, and begun anew.
    let part = folder
        .path()
        .join("inputs")
        .join(format!("{}.part", BlobId::of(b"other")));
    std::fs::write(&part, "oth3").unwrap();
    let mut incoming = begin(&store, b"other").await.unwrap();
    assert!(incoming.was_found());
    incoming.restart().unwrap();
    incoming.write(b"other").unwrap();
    incoming.finish().unwrap();
}

#[tokio::test]
async fn the_one_that_was_not_used_for_longest_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 100);
    let (old, older, new) = ([1; 40], [2; 40], [3; 40]);
    for (bytes, hours) in [(old, 1), (older, 2)] {
        age(&take(&store, &bytes).await, hours);
    }
    let new = take(&store, &new).await;
    assert!(store.path(&BlobId::of(&old)).exists());
    assert!(!store.path(&BlobId::of(&older)).exists());
    assert!(new.exists());
    // Its use counts, not its coming.
    store.find(&BlobId::of(&old)).unwrap();
    age(&new, 1);
    take(&store, &[4; 60]).await;
    assert!(store.path(&BlobId::of(&old)).exists() && !new.exists());
}

#[tokio::test]
async fn what_has_no_room_is_refused_before_a_byte_of_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let small = store(folder.path(), 100);
    let error = begin(&small, &[0; 101]).await.unwrap_err();
    assert!(matches!(error, InputError::NoRoom { .. }), "{error}");
    // What may be about to be used stays.
    take(&small, &[1; 60]).await;
    let error = begin(&small, &[2; 60]).await.unwrap_err();
    assert!(matches!(error, InputError::NoRoom { .. }), "{error}");
    let limits = InputLimits {
        cache_bytes: 1 << 20,
        reserve_bytes: u64::MAX,
    };
    let full = InputStore::new(folder.path().join("inputs"), limits);
    let error = begin(&full, &[3; 10]).await.unwrap_err();
    assert!(matches!(error, InputError::NoRoom { .. }), "{error}");
}
