//! The harbourmaster's app: what comes next.

use super::{
    ProjectData, TaskData,
    Who::{Amara, Hana, Ingrid, Leila, Marek, Priya, Tomas},
};

pub(super) const PROJECT: ProjectData = ProjectData {
    name: "Harbourmaster app",
    description: "Who walks the pontoons has no desk: see on the phone which boat should lie where, take a payment, \
                  send a guest to another berth. Two harbours will try it in autumn.",
    status: "planning",
    priority: "low",
    is_public: false,
    days: (12, 103),
    creator: Amara,
    lead: None,
    team: &[Hana, Leila],
    members: &[(Marek, "owner"), (Ingrid, "owner"), (Priya, "collaborator"), (Tomas, "viewer")],
    invited: Some(("rowan.ellis", "collaborator")),
    tasks: &[
        TaskData::new(
            Amara,
            "Spend a day with a harbourmaster",
            "Skerry Bay, a Saturday in the season. Take notes of everything that is written on paper.",
        )
        .kind("other")
        .high()
        .done(Hana)
        .due(-8, 8)
        .said(&[
            (
                Hana,
                "Forty boats, one pencil, and a list that was wet by noon. The app must work with gloves, in the \
                    sun, and without a signal.",
            ),
            (Amara, "“Without a signal” is the expensive part. Let’s find out how expensive."),
        ]),
        TaskData::new(
            Marek,
            "Try out keeping the day’s list on the phone",
            "The list of a harbour’s day is small. Can all of it be kept there, and changes sent when there is a \
             signal again?",
        )
        .kind("task")
        .high()
        .doing(Marek)
        .due(5, 16)
        .said(&[
            (
                Marek,
                "Works with the list of Marsund, the largest that we have: 180 kB. What is hard is two people who \
                     move the same boat.",
            ),
            (
                Ingrid,
                "Let the second one see what the first one did, and decide. They are within shouting distance \
                      anyway.",
            ),
        ]),
        TaskData::new(
            Hana,
            "Draw the three screens of the first version",
            "Today’s boats; one boat; an empty berth. Nothing else.",
        )
        .doing(Hana)
        .due(3, 15)
        .said(&[(Priya, "Can “one boat” look as it does in Berthline? Harbours would recognize it.")]),
        TaskData::new(
            Amara,
            "Choose the two harbours for the trial",
            "A large one and a small one, not both on the same stretch of coast.",
        )
        .kind("other")
        .waits_for(Amara)
        .due(14, 12),
        TaskData::new(
            Marek,
            "Decide how to take payments on the pontoon",
            "A card reader, a link that is sent to the skipper’s phone, or both. The link needs no new device.",
        )
        .waits_for(Amara)
        .said(&[(Leila, "Half of those who call have no card with them when they arrive. The link, please.")]),
        TaskData::new(
            Marek,
            "Sign in without typing a password on deck",
            "Perhaps with a code that the office shows on its screen.",
        )
        .kind("feature")
        .low(),
        TaskData::new(
            Hana,
            "Readable in full sun",
            "The grey that we use everywhere disappears outdoors. Test on the cheapest phone that we support.",
        )
        .kind("improvement")
        .waits_for(Priya)
        .due(17, 15),
        TaskData::new(
            Leila,
            "List of phones that harbours have",
            "Ask all eleven. It decides which versions we have to support.",
        )
        .done(Leila)
        .due(-2, 12)
        .said(&[(Leila, "Nine answered: mostly five years old, two tablets, one telephone without a screen.")]),
        TaskData::new(
            Ingrid,
            "Find a second pair of hands for the app",
            "Marek cannot do this alone by autumn. Rowan Ellis has worked with us before.",
        )
        .kind("other")
        .doing(Ingrid)
        .due(4, 10)
        .said(&[(Amara, "Rowan is interested; the invitation is out.")]),
        TaskData::new(
            Marek,
            "Send a guest boat to another berth",
            "One gesture for the harbourmaster; the skipper gets a message with the way there.",
        )
        .kind("feature"),
        TaskData::new(
            Marek,
            "The prototype forgets the list when the phone restarts",
            "Only on the oldest one. The list is kept in a place that the system empties.",
        )
        .kind("bug")
        .low()
        .waits_for(Marek)
        .due(9, 16),
    ],
};
