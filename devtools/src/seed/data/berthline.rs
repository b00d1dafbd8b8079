//! Berthline: what Lantern Software lives from.

use super::{
    ProjectData, TaskData,
    Who::{Amara, Hana, Ingrid, Jonas, Leila, Marek, Priya, Tomas},
};

pub(super) const PROJECT: ProjectData = ProjectData {
    name: "Berthline bookings",
    description: "Skippers find a free berth, book it and pay for it before they arrive; harbours see who comes when. \
                  Eleven harbours use it. This project brings group bookings and the new price model, before the \
                  season opens.",
    status: "active",
    priority: "high",
    is_public: false,
    days: (-41, 19),
    creator: Ingrid,
    lead: Some(Tomas),
    team: &[Priya, Leila, Jonas, Hana],
    members: &[(Amara, "owner"), (Marek, "viewer")],
    invited: None,
    tasks: &[
        TaskData::new(
            Amara,
            "Price berths by length and season",
            "Harbours charge per started metre, and three seasons a year. Today we have one price a berth, and the \
             harbour in Port Elin keeps a spreadsheet beside us.",
        )
        .kind("feature")
        .high()
        .done(Tomas)
        .due(-12, 16)
        .said(&[
            (
                Tomas,
                "Done in two steps: first the table of prices, then the bookings that use it. Old bookings keep \
                     the price they were made at.",
            ),
            (Amara, "Port Elin has entered its prices and found no mistake. Thank you!"),
        ]),
        TaskData::new(
            Amara,
            "Book several berths at once for a regatta",
            "A club books ten to forty berths in one go and names the boats later. All of the booking is taken, or \
             none of it.",
        )
        .kind("feature")
        .high()
        .doing(Tomas)
        .due(6, 16)
        .said(&[
            (
                Tomas,
                "Taking berths one by one can leave half a regatta without a place. I hold all of them for ten \
                     minutes, then confirm in one step.",
            ),
            (
                Priya,
                "Then the form can show them as “held for you” with a countdown. I’ll need the time of expiry in \
                     the reply.",
            ),
            (Tomas, "It is there now, as `held_until`."),
        ]),
        TaskData::new(
            Leila,
            "Map shows yesterday’s free berths after midnight",
            "1. Leave the map open over midnight.\n2. Look at the free berths.\n\nIt goes on showing those of the day \
             before until it is reloaded. Two harbours have called about it.",
        )
        .kind("bug")
        .high()
        .doing(Priya)
        .due(1, 12)
        .said(&[
            (
                Priya,
                "The day is read once, when the page is loaded. I’ll ask again when it changes in the harbour’s \
                     time zone, not in the browser’s.",
            ),
            (Leila, "Please test it with Azores time too; that is where I got caught last time."),
        ]),
        TaskData::new(
            Leila,
            "A cancelled booking still gets the reminder the day before",
            "Seen twice last week, both cancelled by the harbour rather than by the skipper.",
        )
        .kind("bug")
        .done(Jonas)
        .due(-5, 12)
        .said(&[(
            Jonas,
            "The reminder looked at the booking when it was planned, not when it was sent. Now it looks \
                         again right before.",
        )]),
        TaskData::new(
            Tomas,
            "Do not take a payment twice when the card page is reloaded",
            "The payment service allows a key for each attempt. Use the booking’s id and the number of the attempt.",
        )
        .kind("bug")
        .high()
        .done(Jonas)
        .due(-20, 16),
        TaskData::new(
            Priya,
            "Search for a harbour by what is near it",
            "People type “near Elin lighthouse”. A list of landmarks with positions would do; no need for a map \
             service.",
        )
        .kind("feature")
        .low()
        .said(&[(Amara, "Nice, but after the season opens.")]),
        TaskData::new(
            Hana,
            "Make the booking form usable with one hand",
            "Most bookings are made on a phone, on deck. Bigger targets, and the date first.",
        )
        .kind("improvement")
        .doing(Priya)
        .due(4, 15)
        .said(&[
            (
                Hana,
                "Drawings are done: date, length of the boat, then the berths that fit. Nothing else on the first \
                    page.",
            ),
            (Priya, "I like it. Where does the boat’s name go?"),
            (Hana, "On the last page; nobody needs it to see whether there is room."),
        ]),
        TaskData::new(
            Hana,
            "Show which berths have power and water",
            "Two small signs on the map, and a filter. Colours alone will not do.",
        )
        .kind("improvement")
        .waits_for(Hana)
        .due(9, 15),
        TaskData::new(
            Tomas,
            "Keep the map fast with a thousand berths",
            "Marsund has 1,140 berths, and the map takes three seconds to open there. It may take half of one.",
        )
        .kind("improvement")
        .waits_for(Tomas)
        .due(13, 16)
        .said(&[(
            Jonas,
            "Most of the time goes into asking for each pontoon’s prices. One query brings it to 300 ms \
                         on my machine.",
        )]),
        TaskData::new(
            Leila,
            "Write the harbour’s guide to group bookings",
            "One page, with pictures. What the club sees, what the harbour sees, and how to move a boat afterwards.",
        )
        .waits_for(Leila)
        .due(8, 10),
        TaskData::new(
            Amara,
            "Talk Port Elin through the new prices",
            "An hour on the telephone with Berit Lund; she decides for the three harbours on the coast.",
        )
        .kind("other")
        .done(Amara)
        .due(-9, 9)
        .said(&[(
            Amara,
            "Went well. She would like to follow along here; I’ll invite her as soon as I know with which address.",
        )]),
        TaskData::new(
            Ingrid,
            "Renew the contract with the payment service",
            "It ends next month. Ask for the rate that we were promised from 2,000 bookings a month on.",
        )
        .kind("other")
        .high()
        .waits_for(Ingrid)
        .due(10, 12),
        TaskData::new(
            Jonas,
            "Move the nightly report off the booking database",
            "It holds up bookings for a minute every night at two. Run it against the copy.",
        )
        .low()
        .waits_for(Jonas),
        TaskData::new(
            Leila,
            "Receipts show the harbour’s old address",
            "Skerry Bay has moved its office. New receipts should have the new address, old ones must stay as they \
             are.",
        )
        .kind("bug")
        .waits_for(Jonas)
        .due(3, 12)
        .said(&[(Tomas, "Addresses need a “valid from”, as prices have. Not hard.")]),
        TaskData::new(
            Tomas,
            "Rehearse the switch to the new prices",
            "With a copy of last week’s data: switch, compare every open booking’s price, switch back.",
        )
        .high()
        .waits_for(Tomas)
        .due(15, 8),
        TaskData::new(Priya, "Remove the old booking form", "Two weeks after the new one is out, if nobody misses it.")
            .low(),
    ],
};
