//! Files that nobody owns: a marketplace that was killed between naming a file and writing down whose it is leaves one,
//! and where nobody sends the same again it would lie there for good.

use crate::fault::Fault;
use sqlx::{AssertSqlSafe, SqliteConnection};
use std::path::{Path, PathBuf};
use sublet_protocol::blob::BlobId;

/// Removes every blob's file that no row of the database names, and says how many there were. Only for a marketplace
/// that does not serve yet: one that does names a file first, and writes its row then.
///
/// # Errors
/// The database does not answer, or a file cannot be removed.
pub async fn remove(conn: &mut SqliteConnection, folder: &Path) -> Result<usize, Fault> {
    // Whatever table has a CID in it owns the file: who adds one need not think of this.
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND c.name = 'cid' ORDER BY m.name",
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut removed = 0;
    for file in blobs(folder).map_err(Fault::file(format!("listing {}", folder.display())))? {
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut owned = false;
        for table in &tables {
            // A table's name cannot be bound, and comes from the database's own list.
            let query = format!("SELECT EXISTS (SELECT 1 FROM \"{table}\" WHERE cid = ?)");
            owned |= sqlx::query_scalar::<_, bool>(AssertSqlSafe(query))
                .bind(&name)
                .fetch_one(&mut *conn)
                .await?;
        }
        if !owned {
            std::fs::remove_file(&file)
                .map_err(Fault::file(format!("removing {}", file.display())))?;
            tracing::info!(blob = name, "a file that nobody owns was removed");
            removed += 1;
        }
    }
    Ok(removed)
}

/// The files below a folder that are named like blobs.
fn blobs(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(path)? {
            let file = file?.path();
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            if name.parse::<BlobId>().is_ok() {
                found.push(file.clone());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_nobody_owns_goes_and_every_other_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut conn = crate::db::open(&folder.path().join("market.sqlite"))
            .await
            .unwrap();
        let blobs = folder.path().join("blobs");
        let put = |bytes: &[u8]| {
            let id = BlobId::of(bytes).to_string();
            let place = blobs.join(&id[id.len() - 2..]);
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join(&id), bytes).unwrap();
            (place.join(&id), id)
        };
        let ((kept, owned), (orphan, _)) = (put(b"owned"), put(b"nobody's"));
        let part = blobs.join("incoming").join("a-part-of-an-upload");
        std::fs::create_dir_all(part.parent().unwrap()).unwrap();
        std::fs::write(&part, b"half").unwrap();
        sqlx::raw_sql(
            "INSERT INTO rigs (id, key, epoch, agent, opened_ms) VALUES ('rig', 'k', 1, 'a', 0)",
        )
        .execute(&mut conn)
        .await
        .unwrap();
        sqlx::query("INSERT INTO blobs (cid, rig, bytes) VALUES (?, 'rig', 5)")
            .bind(owned)
            .execute(&mut conn)
            .await
            .unwrap();
        assert_eq!(remove(&mut conn, &blobs).await.unwrap(), 1);
        assert!(kept.exists() && part.exists() && !orphan.exists());
        assert_eq!(remove(&mut conn, &blobs).await.unwrap(), 0);
        assert_eq!(
            remove(&mut conn, &folder.path().join("nothing"))
                .await
                .unwrap(),
            0
        );
    }
}
