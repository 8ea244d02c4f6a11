//! Which client is told what besides answers and runs.
//!
//! Proof: `proof/tests/engine/clients.rs`.

use crate::client_id::ClientId;
use crate::event_feed::EventFeed;
use crate::input::Subscription;

/// The clients that have subscribed.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Vec<Subscriber>);

#[derive(Debug)]
struct Subscriber {
    client: ClientId,
    subscription: Subscription,
    feed: EventFeed,
}

impl Subscribers {
    /// From now on, after batch `number`, a client is told this.
    pub(crate) fn set(&mut self, client: ClientId, subscription: Subscription, number: u64) {
        let known = self.0.iter().position(|subscriber| subscriber.client == client);
        let at = known.unwrap_or_else(|| {
            let (subscription, feed) = (Subscription::default(), EventFeed::default());
            self.0.push(Subscriber { client, subscription, feed });
            self.0.len() - 1
        });
        let subscriber = &mut self.0[at];
        debug_assert_eq!(subscriber.client, client, "what one client asked for another is told");
        subscriber.subscription = subscription;
        subscriber.feed.set(subscription.remote, number);
    }

    /// A client's last portion has arrived.
    pub(crate) fn ack(&mut self, client: ClientId) {
        let subscribers = self.0.iter_mut();
        subscribers.filter(|one| one.client == client).for_each(|one| one.feed.ack());
    }

    /// A client has gone.
    pub(crate) fn remove(&mut self, client: ClientId) {
        self.0.retain(|subscriber| subscriber.client != client);
    }

    /// What a client is told.
    pub(crate) fn of(&self, client: ClientId) -> Subscription {
        let subscriber = self.0.iter().find(|subscriber| subscriber.client == client);
        subscriber.map_or_else(Subscription::default, |subscriber| subscriber.subscription)
    }

    /// Whether anybody is told of other owners, or of what they leave to do.
    pub(crate) fn follow_others(&self) -> bool {
        self.0.iter().any(|one| one.feed.is_on() || one.subscription.drained)
    }

    /// Those who have asked for this.
    pub(crate) fn who(
        &self,
        asked: impl Fn(&Subscription) -> bool,
    ) -> impl Iterator<Item = ClientId> {
        let all = self.0.iter().filter(move |one| asked(&one.subscription));
        all.map(|one| one.client)
    }

    /// The feeds with something to forward, up to batch `number`.
    pub(crate) fn due(&mut self, number: u64) -> impl Iterator<Item = (ClientId, &mut EventFeed)> {
        let feeds = self.0.iter_mut().map(|one| (one.client, &mut one.feed));
        feeds.filter(move |(_, feed)| feed.is_due(number))
    }
}
