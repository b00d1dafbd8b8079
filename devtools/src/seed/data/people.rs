//! The people of Lantern Software.

/// One of them: their place among [`PEOPLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::seed) enum Who {
    Ingrid,
    Amara,
    Tomas,
    Jonas,
    Priya,
    Leila,
    Marek,
    Hana,
}

/// What there is to know about somebody.
pub(in crate::seed) struct PersonData {
    pub(in crate::seed) full_name: &'static str,
    /// What their address begins with.
    pub(in crate::seed) local_part: &'static str,
    /// What they do there.
    pub(in crate::seed) job: &'static str,
    /// Whether they are an admin of the organization, or a member.
    pub(in crate::seed) is_admin: bool,
}

const fn member(full_name: &'static str, local_part: &'static str, job: &'static str) -> PersonData {
    PersonData { full_name, local_part, job, is_admin: false }
}

const fn admin(full_name: &'static str, local_part: &'static str, job: &'static str) -> PersonData {
    PersonData { is_admin: true, ..member(full_name, local_part, job) }
}

/// All of them, in the order of [`Who`]. The first creates the organization.
pub(in crate::seed) const PEOPLE: [PersonData; 8] = [
    admin("Ingrid Solheim", "ingrid.solheim", "founder"),
    admin("Amara Okafor", "amara.okafor", "product"),
    member("Tomás Ferreira", "tomas.ferreira", "backend, leads Berthline"),
    member("Jonas Weber", "jonas.weber", "backend, keeps tidetable"),
    member("Priya Raman", "priya.raman", "web"),
    member("Leila Haddad", "leila.haddad", "support and testing"),
    member("Marek Novák", "marek.novak", "mobile"),
    member("Hana Sato", "hana.sato", "design"),
];
