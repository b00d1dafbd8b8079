//! Ada invites somebody who has no account yet, and thinks better of it.

use serde_json::json;
use uuid::Uuid;

use super::{
    cast::{Person, Stage},
    client::{Call, Reply},
    story::Project,
    subscriber::Subscriber,
};

/// Invites, lists and revokes. No event says who was invited: an address is personal.
pub(super) async fn send_and_revoke(
    stage: &mut Stage,
    ada: &Person,
    project: &Project,
    ada_sees: &mut Subscriber,
) -> anyhow::Result<()> {
    stage.narrator.act("8. Ada invites somebody who has no account, and takes it back");
    let guest = json!({ "email": format!("charles.{}@example.com", Uuid::now_v7().simple()), "role": "viewer" });
    let call = Call::post(format!("{}/members", project.path)).body(&guest);
    let sent = stage.ask(ada, 201, "invites Charles, by mail", call).await?;
    sent.must_say("/status", &json!("invited"))?;
    let list = format!("{}/invitations", project.path);
    let waiting = stage.ask(ada, 200, "who waits: Charles", Call::get(list.as_str())).await?;
    waiting.must_say("/items/0/email", &guest["email"])?;
    must_have(&waiting, 1)?;
    let call = Call::delete(format!("{list}/{}", sent.text("/id")?));
    let revoked = stage.ask(ada, 204, "takes it back", call).await?;
    must_have(&stage.ask(ada, 200, "who waits: nobody", Call::get(list)).await?, 0)?;
    stage.see(ada_sees, revoked.position()?).await
}

fn must_have(list: &Reply, number: usize) -> anyhow::Result<()> {
    if list.list("/items")?.len() == number {
        return Ok(());
    }
    Err(list.unexpected(&format!("with another number of invitations than {number}")))
}
