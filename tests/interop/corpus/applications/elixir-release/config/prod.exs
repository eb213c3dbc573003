config :shop
