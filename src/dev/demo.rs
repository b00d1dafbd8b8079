//! placeholder
/// x
pub async fn run(_url: &str) -> anyhow::Result<()> {
    Ok(())
}
