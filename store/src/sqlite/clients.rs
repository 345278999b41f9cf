//! Clients, their used assertions, and secrets.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use crate::{Client, ClientStore, Reply, Result, Secret, Time};

fn client(row: &SqliteRow) -> Result<Client> {
    Ok(Client {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        jwks: row.try_get("jwks")?,
        scopes: row.try_get("scopes")?,
        added: Time(row.try_get("added")?),
    })
}

impl ClientStore for SqliteStore {
    fn add_client<'a>(&'a self, client: &'a Client) -> Reply<'a, ()> {
        Box::pin(async move {
            sqlx::query("INSERT INTO client (id, name, jwks, scopes, added) VALUES (?1, ?2, ?3, ?4, ?5)")
                .bind(&client.id)
                .bind(&client.name)
                .bind(&client.jwks)
                .bind(&client.scopes)
                .bind(client.added.0)
                .execute(&self.write)
                .await?;
            Ok(())
        })
    }

    fn remove_client<'a>(&'a self, id: &'a str) -> Reply<'a, bool> {
        Box::pin(async move {
            let done = sqlx::query("DELETE FROM client WHERE id = ?1")
                .bind(id)
                .execute(&self.write)
                .await?;
            Ok(done.rows_affected() > 0)
        })
    }

    fn client<'a>(&'a self, id: &'a str) -> Reply<'a, Option<Client>> {
        Box::pin(async move {
            let row = sqlx::query("SELECT * FROM client WHERE id = ?1")
                .bind(id)
                .fetch_optional(&self.read)
                .await?;
            row.as_ref().map(client).transpose()
        })
    }

    fn clients(&self) -> Reply<'_, Vec<Client>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT * FROM client ORDER BY name")
                .fetch_all(&self.read)
                .await?;
            rows.iter().map(client).collect()
        })
    }

    fn use_jti<'a>(&'a self, client: &'a str, jti: &'a str, expires: Time, now: Time) -> Reply<'a, bool> {
        Box::pin(async move {
            let mut change = self.begin().await?;
            sqlx::query("DELETE FROM jti WHERE expires <= ?1")
                .bind(now.0)
                .execute(&mut *change)
                .await?;
            let done = sqlx::query("INSERT INTO jti (client, jti, expires) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")
                .bind(client)
                .bind(jti)
                .bind(expires.0)
                .execute(&mut *change)
                .await?;
            change.commit().await?;
            Ok(done.rows_affected() > 0)
        })
    }

    fn secret<'a>(&'a self, name: &'a str, fresh: &'a Secret) -> Reply<'a, Secret> {
        Box::pin(async move {
            let find = || sqlx::query_scalar("SELECT value FROM secret WHERE name = ?1").bind(name);
            if let Some(value) = find().fetch_optional(&self.read).await? {
                return Ok(Secret(value));
            }
            let mut change = self.begin().await?;
            sqlx::query("INSERT INTO secret (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
                .bind(name)
                .bind(&fresh.0)
                .execute(&mut *change)
                .await?;
            let value = find().fetch_one(&mut *change).await?;
            change.commit().await?;
            Ok(Secret(value))
        })
    }

    fn replace_secret<'a>(&'a self, name: &'a str, fresh: &'a Secret) -> Reply<'a, ()> {
        Box::pin(async move {
            sqlx::query("INSERT INTO secret (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2")
                .bind(name)
                .bind(&fresh.0)
                .execute(&self.write)
                .await?;
            Ok(())
        })
    }
}
